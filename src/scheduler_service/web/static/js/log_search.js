// Search in the log of a run, and links to its lines.
(() => {
  const log = document.getElementById("log");
  if (!log) return;
  const [search, count] = ["search", "matches"].map((name) => document.getElementById(`log-${name}`));

  let hits = [];
  const find = async () => {
    const text = search.value.trim();
    log.querySelectorAll(".hit").forEach((line) => line.classList.remove("hit", "current"));
    count.textContent = "";
    if (!text) return;
    const answer = await fetch(`${log.dataset.url}/search?q=${encodeURIComponent(text)}`);
    if (!answer.ok) return;
    const { matches, next: more } = await answer.json();
    hits = matches.map(([number]) => number);
    for (const number of hits) document.getElementById(`L${number}`)?.classList.add("hit");
    count.textContent = log.dataset.matches.replace("#", hits.length.toLocaleString() + (more ? "+" : ""));
    step(0);
  };
  let at = 0;
  const step = (by) => {
    if (!hits.length) return;
    at = by ? (at + by + hits.length) % hits.length : 0;
    log.querySelector(".current")?.classList.remove("current");
    const line = document.getElementById(`L${hits[at]}`);
    if (!line) return location.assign(`?from_line=${Math.max(1, hits[at] - 20)}#L${hits[at]}`);
    line.classList.add("current");
    line.scrollIntoView({ block: "center" });
  };
  let timer = null;
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, 250); });
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); step(event.shiftKey ? -1 : 1); } });

  const choose = () => {
    log.querySelectorAll(".chosen").forEach((line) => line.classList.remove("chosen"));
    const match = /^#L(\d+)(?:-L(\d+))?$/.exec(location.hash);
    if (!match) return;
    for (let n = Number(match[1]); n <= Number(match[2] ?? match[1]); n += 1) document.getElementById(`L${n}`)?.classList.add("chosen");
    document.getElementById(`L${match[1]}`)?.scrollIntoView({ block: "center" });
  };
  log.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-n]");
    const first = /^#L(\d+)/.exec(location.hash);
    if (link && event.shiftKey && first) {
      event.preventDefault();
      const ends = [Number(first[1]), Number(link.dataset.n)].sort((a, b) => a - b);
      location.hash = `L${ends[0]}-L${ends[1]}`;
    }
  });
  addEventListener("hashchange", choose);
  if (location.hash) choose();
})();
