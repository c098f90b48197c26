// Selection and row keys of tables: the form around a table names what happens to the selected rows.
(() => {
  const selected = (table) => [...table.querySelectorAll("tbody .select:checked")];

  const update = (table) => {
    const boxes = [...table.querySelectorAll("tbody .select")];
    const count = selected(table).length;
    const all = table.querySelector("thead .select-all");
    if (all) {
      all.checked = count > 0 && count === boxes.length;
      all.indeterminate = count > 0 && count < boxes.length;
    }
    for (const bar of document.querySelectorAll("[data-selection]")) {
      bar.hidden = count === 0;
      bar.querySelector("[data-count]").textContent = String(count);
    }
  };

  document.addEventListener("change", (event) => {
    const table = event.target.closest("table");
    if (!table || !event.target.matches(".select, .select-all")) return;
    if (event.target.matches(".select-all")) {
      for (const box of table.querySelectorAll("tbody .select")) box.checked = event.target.checked;
    }
    update(table);
  });
  document.querySelectorAll("table").forEach(update);
  document.addEventListener("htmx:after:swap", () => document.querySelectorAll("table").forEach(update));
})();
