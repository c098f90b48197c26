// Shows instants in the reader's zone. Without JavaScript, pages show UTC.
(() => {
  const DAY = 86400;
  // A unit begins where its rounding is off by a third at most: 90 minutes are told as minutes, 91 as 2 hours.
  const UNITS = [["hour", 3600, 5400], ["minute", 60, 90], ["second", 1, 0]];
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long", hourCycle: "h23" });
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  const exact = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

  // The clocks of browser and server can differ, so the page brings the server's.
  const sent = Date.parse(document.documentElement.dataset.now);
  const skew = Number.isNaN(sent) ? 0 : sent - Date.now();
  const now = () => Date.now() + skew;

  // Days are counted by the calendar, so that "tomorrow" is the next day. Noon keeps clock changes out.
  const noon = (at) => new Date(at).setHours(12, 0, 0, 0) / 1000;
  const distance = (at) => {
    const seconds = (at - now()) / 1000;
    if (Math.abs(seconds) >= DAY) return relative.format(Math.round((noon(at) - noon(now())) / DAY), "day");
    const [unit, size] = UNITS.find(([, , least]) => Math.abs(seconds) > least) ?? ["second", 1];
    return relative.format(Math.round(seconds / size), unit);
  };
  const FORMATS = {
    relative: distance,
    clock: (at) => clock.format(at),
    minute: (at) => minute.format(at),
    exact: (at) => exact.format(at),
    day: (at) => day.format(at),
    full: (at) => full.format(at),
  };

  const show = (element) => {
    const at = new Date(element.dateTime);
    const text = (FORMATS[element.dataset.as] ?? FORMATS.relative)(at);
    if (element.textContent !== text) element.textContent = text;
    if (!element.title) element.title = `${full.format(at)}\n${element.dateTime}`;
  };
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const showAll = () => {
    document.querySelectorAll("time[data-as]").forEach(show);
    for (const name of document.querySelectorAll("[data-zone]")) if (name.textContent !== zone) name.textContent = zone;
  };

  showAll();
  document.addEventListener("htmx:after:swap", showAll);
  setInterval(() => document.hidden || showAll(), 1000);
  // The next pages draw days and hours in this zone.
  document.cookie = `scheduler_zone=${zone};path=/ui;samesite=strict;max-age=31536000`;
})();
