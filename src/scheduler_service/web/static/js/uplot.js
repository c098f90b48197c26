// Draws runs per minute and the p95 of their durations with uPlot. It is one module with it.
// A canvas knows no light-dark(), so an element resolves each colour.
const probe = document.createElement("i");
const token = (name) => {
  document.body.append(probe);
  probe.style.color = `var(${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
};

const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const clock = new Intl.DateTimeFormat(undefined, options);
const full = new Intl.DateTimeFormat(undefined, { ...options, day: "numeric", month: "short" });

/** Draw a chart of [seconds, good, bad, p95] into an element, and return it. */
export function draw(element, { points, labels, step }) {
  const [times, good, bad, p95] = points;
  const all = good.map((count, index) => count + bad[index]);
  const bars = uPlot.paths.bars({ size: [0.8, 40], align: 1 });
  const axis = { stroke: token("--muted"), grid: { stroke: token("--border"), width: 1 }, ticks: { show: false } };
  const rate = (_, value) => (value === null ? "–" : value.toFixed(value < 10 ? 1 : 0));
  const seconds = (_, value) => (value === null ? "–" : `${value < 10 ? value.toFixed(2) : value.toFixed(0)} s`);
  return new uPlot(
    {
      width: element.clientWidth,
      height: 180,
      cursor: { y: false, points: { show: false } },
      legend: { live: true },
      scales: { x: { range: [times[0], times.at(-1) + step] }, rate: { range: (_, __, top) => [0, Math.max(top * 1.1, 1)] }, seconds: { range: (_, __, top) => [0, Math.max((top ?? 0) * 1.1, 0.1)] } },
      axes: [{ ...axis, values: (_, marks) => marks.map((mark) => clock.format(mark * 1000)) }, { ...axis, scale: "rate", size: 44 }, { ...axis, scale: "seconds", side: 1, size: 56, grid: { show: false }, values: (_, marks) => marks.map((mark) => `${mark} s`) }],
      series: [
        { label: labels.time, value: (_, at) => (at === null ? "–" : full.format(at * 1000)) },
        { label: labels.good, scale: "rate", paths: bars, stroke: token("--fill-good"), fill: token("--fill-good"), width: 0, points: { show: false }, value: (_, __, ___, index) => (index === null ? "–" : rate(_, good[index])) },
        { label: labels.bad, scale: "rate", paths: bars, stroke: token("--fill-bad"), fill: token("--fill-bad"), width: 0, points: { show: false }, value: rate },
        { label: labels.p95, scale: "seconds", stroke: token("--accent"), width: 2, spanGaps: true, points: { size: 5 }, value: seconds },
      ],
    },
    [times, all, bad, p95],
    element,
  );
}
