// Closes menus by a click elsewhere or Escape, sends filter forms when a choice changes, hides notices after ten seconds.
(() => {
  const NOTICE_MS = 10_000;
  const openMenus = () => document.querySelectorAll("details.menu[open]");

  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("form[data-auto] select, form[data-auto] input[type=checkbox]")) event.target.form.requestSubmit();
  });
  // Empty filters stay out of the address.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-auto]")) return;
    for (const field of event.target.elements) field.disabled = field.disabled || field.value === "";
  });

  for (const notice of document.querySelectorAll("[data-notice]")) {
    setTimeout(() => notice.remove(), NOTICE_MS);
  }
})();
