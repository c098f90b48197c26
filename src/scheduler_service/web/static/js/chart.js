// Arrow keys in the heat map: one tab stop, and each cell has a name.
(() => {
  const grid = document.querySelector("[data-grid]");
  for (const field of document.querySelectorAll("[data-zone-field]")) {
    if (new URLSearchParams(location.search).has("zone")) continue;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone || zone === field.value) continue;
    const address = new URL(location.href);
    address.searchParams.set("zone", zone);
    location.replace(address);
  }
  for (const list of document.querySelectorAll("[data-zones]")) {
    for (const zone of Intl.supportedValuesOf?.("timeZone") ?? []) list.append(new Option(zone, zone));
  }
  if (!grid) return;
  const lines = [...grid.querySelectorAll("[data-line]")].map((line) => [...line.querySelectorAll("[data-cell]")]);
  const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  grid.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const line = lines.findIndex((cells) => cells.includes(document.activeElement));
    if (!step || line < 0) return;
    event.preventDefault();
    const column = lines[line].indexOf(document.activeElement);
    const target = lines[line + step[0]]?.[column + step[1]];
    if (!target) return;
    document.activeElement.setAttribute("tabindex", "-1");
    target.setAttribute("tabindex", "0");
    target.focus();
  });
})();
