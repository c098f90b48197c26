// Draws the chart of the start page with uPlot over its SVG, which stays where scripts do not run.
(() => {
  const { module } = document.currentScript.dataset;
  let plotted = null;

  const show = (draw) => {
    const figure = document.querySelector("[data-pace]");
    if (!figure || figure.querySelector(".uplot")) return;
    const place = figure.querySelector("[data-plot]");
    const picture = figure.querySelector("svg");
    place.hidden = false;
    plotted = draw(place, JSON.parse(figure.dataset.pace));
    picture.classList.add("visually-hidden");
  };

  if (!document.querySelector("[data-pace]")) return;
  import(module).then(({ draw }) => {
    show(draw);
    document.addEventListener("htmx:after:swap", () => show(draw));
    addEventListener("resize", () => {
      const place = document.querySelector("[data-plot]");
      if (place && plotted) plotted.setSize({ width: place.clientWidth, height: plotted.height });
    });
  });
})();
