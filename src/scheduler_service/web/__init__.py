"""The web interface below `/ui`: pages that a browser shows, on the same services as the API.

How a page is made. A module in `pages` holds the routes of one noun. Each handler is `query → service → view →
template`:

1. `@pages.get("/things/{thing_id:int}")` registers it, and its one argument is the `Visit`: the request, the caller
   that the session names, the services and the nonce.
2. It asks a service, with `visit.caller`. Errors of services become pages in `errors`; a handler catches none, except
   to show a form again.
3. A pure function in `views` turns records into frozen dataclasses of what is shown.
4. `visit.show("things.html", …)` renders `templates/pages/things.html`, which extends `base.html` and uses the macros
   in `templates/parts`. Words come from the files in `texts` by `t("jobs.title")`.

Changes are forms with `{{ csrf() }}` that post to a handler, which acts and returns `visit.redirect(…)`. Every page and
form works without JavaScript. An element with `hx-` attributes carries `hx-nonce="{{ nonce }}"`, else htmx ignores it.
A part of a page that follows events is an element with an id that fetches its own page again: see `parts/live.html`.
Styles and scripts are in `static`; nothing is inline. `vendor.lock` lists what others wrote.
"""
