"""Directory on the module path of a starting zygote. Its only module is `sitecustomize`."""
