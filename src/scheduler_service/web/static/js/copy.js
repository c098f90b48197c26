// Copies the text of the elements that a button with data-copy names, also over plain HTTP, where there is no clipboard.
(() => {
  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const lines = [...document.querySelectorAll(button.dataset.copy)].map((element) => element.textContent);
    await copy(lines.join("\n"));
    button.textContent = button.dataset.copied;
  });
})();
