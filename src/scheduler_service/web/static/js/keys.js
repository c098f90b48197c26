// Single-letter keys. They never act in fields, and a reader can switch them off (WCAG 2.1.4).
(() => {
  const GO = { h: "/ui/", j: "/ui/jobs", r: "/ui/runs", l: "/ui/ledger", w: "/ui/workers" };
  const isOff = () => document.documentElement.dataset.keys === "off";
  const isField = (element) => element.matches?.("input, textarea, select, [contenteditable]") && !element.matches(".select, .select-all");
  let isGoing = false;

  const rows = () => [...document.querySelectorAll("tbody tr[data-row]")];
  const here = () => document.querySelector("tr.is-here");
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const next = all[Math.min(all.length - 1, Math.max(0, all.indexOf(here()) + step))];
    here()?.classList.remove("is-here");
    next.classList.add("is-here");
    next.scrollIntoView({ block: "nearest" });
    next.querySelector("a")?.focus({ preventScroll: true });
  };
  const press = (key) => (here() ?? document).querySelector(`[data-key="${CSS.escape(key)}"]`) ?? document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const ACTIONS = {
    "/": () => document.querySelector("input[type=search]")?.focus(),
    y: () => { location.hash = "why"; },
    j: () => move(1),
    k: () => move(-1),
    x: () => here()?.querySelector(".select")?.click(),
    g: () => {
      isGoing = true;
      setTimeout(() => { isGoing = false; }, 1500);
    },
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "k") {
      event.preventDefault();
      document.querySelector("[data-jump]")?.click();
    }
    if (event.target.matches("[data-jump-field]") && ["Enter", "ArrowDown"].includes(event.key)) {
      const first = document.querySelector("#jump-results :is(a, button)");
      event.preventDefault();
      if (event.key === "Enter") first?.click();
      else first?.focus();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isOff() || isField(event.target) || document.querySelector("dialog[open]")) return;
    if (isGoing && GO[event.key]) {
      location.assign(GO[event.key]);
      return;
    }
    isGoing = false;
    const act = ACTIONS[event.key] ?? (press(event.key) && (() => press(event.key).click()));
    if (!act) return;
    event.preventDefault();
    act();
  });
})();
