// Shows the page behind a link with data-dialog as a dialog over this page. Without JavaScript it is a page.
(() => {
  const dialog = document.getElementById("dialog");

  const open = async (link) => {
    await htmx.ajax("GET", link.getAttribute("href"), { target: "#dialog-content", swap: "innerHTML" });
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      open(link);
    }
    // On a page of its own, a link with data-close leads back.
    if (event.target.closest("dialog [data-close]") || event.target === dialog) {
      event.preventDefault();
      dialog.close();
    }
  });
})();
