// The log of a run: follow, search, line links, wrap and copy. Lines come from the server as pairs of text and class.
(() => {
  const MAX_LINES = 10_000;
  const log = document.getElementById("log");
  const box = log?.parentElement;
  const stream = document.getElementById("live");
  const byId = (name) => document.getElementById(`log-${name}`);
  if (!log) return;
  const [follow, wrap, fresh, search, count] = ["follow", "wrap", "new", "search", "matches"].map(byId);
  let next = Number(log.dataset.next);
  let unseen = 0;
  let isLoading = false;
  let isWanted = false;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const lineOf = ([number, , pieces]) => {
    const item = element("li");
    item.id = `L${number}`;
    const link = element("a");
    link.href = `#L${number}`;
    link.dataset.n = number;
    link.tabIndex = -1;
    const code = element("code");
    for (const [text, css] of pieces) code.append(css ? element("span", css, text) : text);
    item.append(link, code);
    return item;
  };
  const isFollowing = () => follow.getAttribute("aria-pressed") === "true";
  const toEnd = () => { box.scrollTop = box.scrollHeight; };
  const setFollowing = (on) => {
    follow.setAttribute("aria-pressed", String(on));
    if (on) {
      unseen = 0;
      fresh.hidden = true;
      toEnd();
    }
  };

  const append = (lines) => {
    for (const line of lines) {
      if (line[1]) log.append(element("li", "log-attempt", `${log.dataset.attempt} ${line[1]}`));
      const old = document.getElementById(`L${line[0]}`);
      const made = lineOf(line);
      if (old) old.replaceWith(made);
      else log.append(made);
      unseen += old ? 0 : 1;
    }
    while (log.children.length > MAX_LINES) log.firstElementChild.remove();
    box.querySelector(".log-none").hidden = log.children.length > 0;
    if (isFollowing()) setFollowing(true);
    else if (unseen) {
      fresh.textContent = log.dataset.new.replace("#", unseen.toLocaleString());
      fresh.hidden = false;
    }
  };
  const load = async () => {
    isWanted = true;
    if (isLoading) return;
    isLoading = true;
    try {
      while (isWanted) {
        isWanted = false;
        const answer = await fetch(`${log.dataset.url}/lines?from=${next}`);
        if (!answer.ok) break;
        const { lines, next: following, more } = await answer.json();
        append(lines);
        isWanted ||= more && following > next;
        next = following;
      }
    } finally {
      isLoading = false;
    }
  };
  for (const name of ["log", "changed", "refresh"]) stream?.addEventListener(name, load);

  follow.addEventListener("click", () => setFollowing(!isFollowing()));
  fresh.addEventListener("click", () => setFollowing(true));
  box.addEventListener("scroll", () => {
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
    if (!isAtEnd && isFollowing()) setFollowing(false);
  });
  document.addEventListener("selectionchange", () => {
    const selection = getSelection();
    if (!selection.isCollapsed && log.contains(selection.anchorNode) && isFollowing()) setFollowing(false);
  });
  wrap.addEventListener("click", () => {
    const on = !log.classList.toggle("no-wrap");
    wrap.setAttribute("aria-pressed", String(on));
  });

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
  else if (isFollowing()) toEnd();
})();
