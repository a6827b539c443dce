// What the console adds where there are scripts: times in the reader's own zone, a question before what is grave,
// plots, one open menu at a time. Every page works without it.
"use strict";

const inZone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function drawPlot(place) {
  const { x, lines, unit } = JSON.parse(place.dataset.plot);
  const style = getComputedStyle(document.body);
  const ink = style.color;
  const colours = ["#206bc4", "#d6336c", "#2fb344", "#f59f00", "#ae3ec9"];
  const axis = { stroke: ink, grid: { stroke: "#8886", width: 0.5 }, ticks: { show: false } };
  const options = {
    width: place.clientWidth || 320,
    height: 220,
    // days begin in UTC
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), Math.max(1, most ?? 1)] } },
    axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => tick.toLocaleString() + unit) }],
    series: [{}, ...lines.map(([label], index) => ({ label, stroke: colours[index % 5], width: 2, points: { size: 4 } }))],
  };
  place.replaceChildren();
  return new uPlot(options, [x, ...lines.map(([, values]) => values)], place);
}

function dress(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.textContent = inZone.format(new Date(time.dateTime));
  }
  for (const place of root.querySelectorAll("[data-plot]")) {
    const plot = drawPlot(place);
    new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 220 })).observe(place);
  }
}

document.addEventListener("submit", (event) => {
  const asked = event.target.dataset.asks;
  if (asked && !confirm(asked)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  for (const drop of document.querySelectorAll("details.drop[open]")) {
    if (!drop.contains(event.target)) drop.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const drop of document.querySelectorAll("details.drop[open]")) {
    drop.open = false;
    drop.querySelector("summary").focus();
  }
});

dress(document);
document.addEventListener("htmx:afterSwap", (event) => dress(event.target));
