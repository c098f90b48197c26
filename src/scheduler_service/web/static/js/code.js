// Shows CodeMirror over the textareas of code, once the page is there. Without it, they stay as they are.
(() => {
  const { module } = document.currentScript.dataset;
  const { nonce } = document.currentScript;
  const LANGUAGES = ["python", "shell", "json"];
  const views = new Map();
  const fieldOf = (area) => area.closest(".field");

  const describe = (area) => ({
    language: area.dataset.code,
    nonce,
    label: fieldOf(area)?.querySelector("label")?.textContent.trim() ?? "",
    describedBy: area.getAttribute("aria-describedby") ?? "",
  });

  // A fault names its line, which is marked.
  const showFault = (area, view, mark) => {
    const text = fieldOf(area)?.querySelector("[data-error]")?.textContent ?? "";
    if (area.dataset.code !== "json") mark(view, Number(/\bline (\d+)/.exec(text)?.[1] ?? 0), text);
    if (text) view.contentDOM.setAttribute("aria-invalid", "true");
    else view.contentDOM.removeAttribute("aria-invalid");
  };

  import(module).then(({ attach, mark, refresh }) => {
    for (const area of document.querySelectorAll("textarea[data-code]")) {
      if (!LANGUAGES.includes(area.dataset.code)) continue;
      const view = attach(area, describe(area));
      area.hidden = true;
      views.set(area, view);
      showFault(area, view, mark);
      // What leads to the textarea, such as its label and the list of faults, leads to the editor.
      area.addEventListener("focus", () => view.focus());
      fieldOf(area)?.querySelector("label")?.addEventListener("click", () => view.focus());
      for (const link of document.querySelectorAll(`a[href="#${area.id}"]`)) link.hash = view.contentDOM.id;
      area.addEventListener("input", () => refresh(view, area));
    }
    document.addEventListener("htmx:after:swap", () => {
      for (const [area, view] of views) showFault(area, view, mark);
    });
  });
})();
