// The job editor: faults beside their controls, chips, the Tab key in code, and a draft that survives a lost session.
(() => {
  const form = document.getElementById("editor");
  if (!form) return;
  const key = `draft:${form.dataset.draft}`;
  const fields = () => [...form.elements].filter((field) => field.name && field.type !== "hidden" && field.name !== "csrf_token" && field.tagName !== "BUTTON");
  const state = () => fields().map((field) => [field.name, field.type === "checkbox" || field.type === "radio" ? `${field.value}:${field.checked}` : field.value]);
  const first = JSON.stringify(state());
  let isLeaving = false;

  // The preview names faults only of controls that were used, until the whole form was sent once.
  const used = new Set();
  const touched = form.elements.touched;
  const touch = (event) => {
    const field = event.target.closest?.("[data-field]")?.dataset.field ?? (event.target.id === "on-demand" ? "/schedule_expr" : "");
    used.add(field);
    touched.value = document.getElementById("faults") ? "" : [...used, "-"].join(" ");
  };
  for (const name of ["input", "change"]) form.addEventListener(name, touch, true);

  // Faults that the preview names are copied to their controls.
  const showFaults = () => {
    const found = new Map([...document.querySelectorAll("#preview [data-problem]")].map((item) => [item.dataset.problem, item.querySelector("span").textContent]));
    const count = form.querySelector("[data-fault-count]");
    count.textContent = document.querySelector("#preview h2.bad")?.textContent ?? "";
    count.hidden = !count.textContent;
    for (const field of form.querySelectorAll("[data-field]")) {
      const text = found.get(field.dataset.field) ?? "";
      const error = field.querySelector("[data-error]");
      error.textContent = text;
      error.hidden = !text;
      for (const control of field.querySelectorAll("input, textarea, select")) {
        if (text) control.setAttribute("aria-invalid", "true");
        else control.removeAttribute("aria-invalid");
      }
    }
  };
  document.addEventListener("htmx:after:swap", showFaults);

  const fill = (saved) => {
    const left = new Map();
    for (const [name, value] of saved) left.set(name, [...(left.get(name) ?? []), value]);
    for (const field of fields()) {
      const value = left.get(field.name)?.shift();
      if (value === undefined) continue;
      if (field.type === "checkbox" || field.type === "radio") field.checked = value === `${field.value}:true`;
      else field.value = value;
    }
  };
  const notice = document.getElementById("draft");
  const saved = JSON.parse(sessionStorage.getItem(key) ?? "null");
  // A draft stays a change of the version that it began with, so that what others have changed since is not lost.
  const { version } = form.elements;
  const shown = version?.value;
  if (saved && JSON.stringify(saved.state) !== first) {
    fill(saved.state);
    if (version && saved.version) version.value = saved.version;
    const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    notice.querySelector("[data-at]").textContent = clock.format(saved.at);
    notice.hidden = false;
    form.dispatchEvent(new Event("input", { bubbles: true }));
  }
  form.addEventListener("input", () => sessionStorage.setItem(key, JSON.stringify({ at: Date.now(), state: state(), version: version?.value })));
  notice.querySelector("button").addEventListener("click", () => {
    form.reset();
    if (version) version.value = shown;
    for (const field of [form, ...form.querySelectorAll("textarea")]) field.dispatchEvent(new Event("input", { bubbles: true }));
    sessionStorage.removeItem(key);
    notice.hidden = true;
    used.clear();
  });
  form.addEventListener("submit", () => { isLeaving = true; });
  document.querySelector("[data-discard]")?.addEventListener("click", () => {
    sessionStorage.removeItem(key);
    isLeaving = true;
  });
  // Other pages of this tab lead back to the draft.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link?.hash === "" && !link.target && !event.defaultPrevented && !event.ctrlKey && !event.metaKey) isLeaving = true;
  });
  addEventListener("beforeunload", (event) => {
    if (!isLeaving && JSON.stringify(state()) !== first) event.preventDefault();
  });

  for (const chips of form.querySelectorAll("[data-chips]")) {
    chips.hidden = false;
    chips.addEventListener("click", (event) => {
      const chip = event.target.closest("[data-expression]");
      if (!chip) return;
      const field = form.elements["/schedule_expr"];
      field.value = chip.dataset.expression;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }

  // A chip of a grant adds its name, or removes it.
  const grants = form.querySelector("[data-grants]");
  if (grants) grants.hidden = false;
  grants?.addEventListener("click", (event) => {
    const name = event.target.closest("[data-grant]")?.dataset.grant;
    if (!name) return;
    const field = form.elements["/grants"];
    const names = field.value.split(/[,\s]+/).filter(Boolean);
    field.value = (names.includes(name) ? names.filter((each) => each !== name) : [...names, name]).join(", ");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // The browser knows the names of the zones; the service checks what is written.
  const zones = document.getElementById("zones");
  for (const zone of Intl.supportedValuesOf?.("timeZone") ?? []) zones.append(new Option(zone, zone));

  // Tab indents in code; Escape, then Tab, leaves the control.
  let isEscaped = false;
  form.addEventListener("keydown", (event) => {
    const area = event.target.closest("textarea[data-code]");
    if (event.key === "Escape") isEscaped = true;
    else if (event.key !== "Tab") isEscaped = false;
    if (!area || event.key !== "Tab" || event.shiftKey || isEscaped) return;
    event.preventDefault();
    area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    form.querySelector("[data-test]")?.click();
  }, true); // before the code editor inserts a line
  // The session has ended: the login leads back here, to the kept draft.
  document.addEventListener("htmx:before:response", (event) => { isLeaving ||= event.detail.ctx.response.status === 401; });
  document.getElementById("faults")?.focus();
})();
// A job that was saved needs no draft any more.
(() => {
  if (document.getElementById("editor") || !document.querySelector("[data-notice]")) return;
  for (const name of Object.keys(sessionStorage)) if (name.startsWith("draft:")) sessionStorage.removeItem(name);
})();
