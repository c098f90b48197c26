// Follows the page's event stream, and asks at intervals where it cannot be followed. The badge shows which, and pauses it.
(() => {
  const POLL_MS = 10_000;
  const MAX_FAILURES = 3;
  const SAY_MS = 5_000;
  const stream = document.getElementById("live");
  const badge = document.getElementById("live-badge");
  if (!stream || !badge) return;
  const label = badge.querySelector("[data-label]");
  let failures = 0;
  let timer = null;

  const isPaused = () => badge.getAttribute("aria-pressed") === "true";
  const show = (followed) => {
    const state = isPaused() ? "paused" : followed;
    badge.dataset.state = state;
    label.textContent = badge.dataset[state];
  };
  const refresh = () => stream.dispatchEvent(new CustomEvent("refresh", { bubbles: true }));
  const poll = () => {
    if (timer) return;
    show("polling");
    timer = setInterval(() => document.hidden || refresh(), POLL_MS);
  };
  const stopPolling = () => {
    clearInterval(timer);
    timer = null;
  };

  // A tab that is opened in the background connects when it is looked at: browsers hold six connections at most.
  const connect = () => {
    if (document.hidden) return;
    document.removeEventListener("visibilitychange", connect);
    stream.dispatchEvent(new CustomEvent("connect"));
  };
  document.addEventListener("visibilitychange", connect);
  setTimeout(connect); // htmx is ready then

  stream.addEventListener("htmx:sse:after:connection", () => {
    failures = 0;
    stopPolling();
    show("live");
  });
  stream.addEventListener("htmx:sse:error", () => {
    failures += 1;
    if (failures >= MAX_FAILURES) poll();
  });
  // The stream's own events reload what follows them; a paused page ignores them.
  document.addEventListener("htmx:before:request", (event) => {
    const cause = event.detail.ctx?.sourceEvent?.target;
    if (isPaused() && cause === stream) event.preventDefault();
  });
  // What has ended is also said, politely and at most every five seconds.
  const announcements = document.getElementById("announcements");
  let said = document.querySelector("[data-announce]")?.dataset.announce;
  let saidAt = -SAY_MS;
  document.addEventListener("htmx:after:swap", () => {
    const text = document.querySelector("[data-announce]")?.dataset.announce;
    if (!text || text === said || performance.now() - saidAt < SAY_MS) return;
    said = text;
    saidAt = performance.now();
    announcements.textContent = text;
  });
  badge.addEventListener("click", () => {
    const paused = !isPaused();
    badge.setAttribute("aria-pressed", String(paused));
    show(timer ? "polling" : "live");
    if (!paused) refresh();
  });
})();
