// The log of a run: follow, earlier lines and wrap. Lines come from the server as pairs of text and class.
(() => {
  const MAX_LINES = 10_000;
  const log = document.getElementById("log");
  const box = log?.parentElement;
  const stream = document.getElementById("live");
  const byId = (name) => document.getElementById(`log-${name}`);
  if (!log) return;
  const [follow, wrap, fresh, earlier] = ["follow", "wrap", "new", "earlier"].map(byId);
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
  // A line without pieces only names the attempt that begins there.
  const headingOf = ([number, attempt, pieces]) => {
    const item = element("li", "log-attempt", `${log.dataset.attempt} ${attempt}`);
    if (!pieces) item.id = `L${number}`;
    return item;
  };
  const itemsOf = (line) => [...(line[1] ? [headingOf(line)] : []), ...(line[2] ? [lineOf(line)] : [])];
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
      const old = document.getElementById(`L${line[0]}`);
      if (old) old.replaceWith(line[2] ? lineOf(line) : headingOf(line));
      else log.append(...itemsOf(line));
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
  for (const name of ["log", "changed", "stream.gap", "refresh"]) stream?.addEventListener(name, load);

  // Earlier lines come when somebody scrolls up to the first one. What is being read stays where it is.
  const STEP = 2_000;
  let isLoadingEarlier = false;
  const firstShown = () => Number(log.querySelector("li[id]")?.id.slice(1) ?? 1);
  const loadEarlier = async () => {
    const first = firstShown();
    if (isLoadingEarlier || first <= 1 || log.children.length + STEP > MAX_LINES) return;
    isLoadingEarlier = true;
    const begin = Math.max(1, first - STEP);
    const found = [];
    for (let from = begin, isMore = true; isMore && from < first;) { // an answer has a largest size
      const answer = await fetch(`${log.dataset.url}/lines?from=${from}`);
      if (!answer.ok) break;
      const { lines, next: following } = await answer.json();
      found.push(...lines);
      isMore = following > from;
      from = following;
    }
    if (found.length && found.at(-1)[0] >= first - 1 && firstShown() === first) {
      const below = box.scrollHeight - box.scrollTop;
      log.prepend(...found.filter(([number]) => number < first).flatMap(itemsOf));
      box.scrollTop = box.scrollHeight - below;
      earlier.parentElement.hidden = begin === 1;
      earlier.href = `?from_line=${Math.max(1, begin - STEP)}`;
      earlier.textContent = log.dataset.earlier.replace("#", (begin - 1).toLocaleString());
    }
    isLoadingEarlier = false;
  };
  box.addEventListener("scroll", () => { if (earlier && box.scrollTop < 200) loadEarlier(); });

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
  if (!location.hash && isFollowing()) toEnd();
})();
