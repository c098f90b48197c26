// Arrow keys in heat maps: one tab stop, and each cell has a name. Fields of zones offer the names that the browser knows.
(() => {
  for (const list of document.querySelectorAll("[data-zones]")) {
    for (const zone of Intl.supportedValuesOf?.("timeZone") ?? []) list.append(new Option(zone, zone));
  }
  // Narrow screens begin at the newest cells, also where the style sheet's way is not known.
  const placed = new WeakSet();
  const place = () => {
    for (const map of document.querySelectorAll("[data-map]")) {
      const here = map.querySelector("[data-here]");
      if (!placed.has(map) && map.scrollLeft === 0 && here) map.scrollLeft = here.getBoundingClientRect().right - map.getBoundingClientRect().right + 36;
      placed.add(map);
    }
  };
  place();
  document.addEventListener("htmx:after:swap", place);
  const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  // At the document, because a live page replaces its maps.
  document.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const focused = event.target.closest?.("[data-cell]");
    if (!step || !focused) return;
    const lines = [...focused.closest("[data-grid]").querySelectorAll("[data-line]")].map((line) => [...line.querySelectorAll("[data-cell]")]);
    const line = lines.findIndex((cells) => cells.includes(focused));
    event.preventDefault();
    const [next, place] = [lines[line + step[0]] ?? [], lines[line].indexOf(focused) + step[1]];
    const target = next[step[0] ? Math.min(place, next.length - 1) : place];
    if (!target) return;
    focused.setAttribute("tabindex", "-1");
    target.setAttribute("tabindex", "0");
    target.focus();
  });
})();
