"""Jobs as files: plans what documents change, applies the plan in one transaction, and exports jobs as documents."""
