// One channel up close: its map, the histogram of its values, and its numbers.

const MOST_BINS = 32;
const PLOT = { width: 320, height: 150, left: 34, right: 8, top: 8, bottom: 36 }; // in pixels

const detail = (() => {
  const figure = { row: rows.current, i: 0, map: null, run: null };
  const box = find('.detail');
  const text = make('div', 'text');
  figure.title = make('h4', 'title');
  figure.value = make('p', 'value');
  figure.numbers = make('dl', 'numbers');
  figure.plot = svg('svg', { class: 'histogram', viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: 'img' });
  text.append(makeLegend(figure), figure.value);
  box.append(figure.title, makeFrame(figure), text, figure.plot, figure.numbers);
  return figure;
})();

function svg(tag, attributes, text) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const drawDetail = () => {
  const run = current();
  const i = state.stage;
  const stage = run.stages[i];
  const channel = channelOf(run, i);
  detail.row = rows.current;
  detail.i = i;
  detail.run = run;
  detail.map = {
    values: channelValues(stage, channel),
    table: DIVERGING,
    range: channelRange(run, i, channel),
    unit: 'activation x',
  };
  detail.title.textContent = `Channel ${channel} of stage ${i + 1}`;
  nameFrame(detail, `${detail.title.textContent}, ${stage.height} by ${stage.width} cells`);
  detail.frame.style.aspectRatio = `${run.picture.width} / ${run.picture.height}`;
  fit(detail, stage.height, stage.width);
  paint(detail);
  drawLegend(detail);
  drawHistogram(detail.map.values);
  drawNumbers(run, i, channel);
  drawDetailPlace();
};

const drawDetailPlace = () => {
  if (detail.run !== current()) return; // a newer run, whose channel is drawn in the next frame
  const { marked, probed } = rows.current.figures[detail.i];
  const stage = current().stages[detail.i];
  const n = probed ?? marked;
  const value = n === null ? null : detail.map.values[n];
  markCell(detail.mark, stage, marked);
  markCell(detail.probe, stage, probed);
  detail.value.textContent = n === null ? '' : `${format(value)} at ${cellInWords(stage, n)}`;
  detail.tick.hidden = n === null;
  const line = detail.plot.querySelector('.here');
  line.setAttribute('visibility', n === null ? 'hidden' : 'visible');
  if (n === null) return;
  detail.tick.style.left = `${100 * shareOf(detail.map, value)}%`;
  const x = plotX(value, ...extremesOf(detail.map.values));
  line.setAttribute('x1', x);
  line.setAttribute('x2', x);
};

const plotX = (value, low, high) => {
  const inner = PLOT.width - PLOT.left - PLOT.right;
  return PLOT.left + (high > low ? (value - low) / (high - low) : 0.5) * inner;
};

/** The histogram over all cells: counts upwards, activations to the right, a dashed line at zero. */
const drawHistogram = (values) => {
  const [low, high] = extremesOf(values);
  const bins = clamp(Math.round(Math.sqrt(values.length)), 4, MOST_BINS);
  const counts = histogramOf(values, low, high, bins);
  const most = Math.max(...counts);
  const floor = PLOT.height - PLOT.bottom;
  const step = (PLOT.width - PLOT.left - PLOT.right) / bins;
  const bars = [...counts].map((count, k) => {
    const tall = (count / most) * (floor - PLOT.top);
    return svg('rect', { class: 'bin', x: PLOT.left + k * step, y: floor - tall, width: step - 1, height: tall });
  });
  const isZeroInside = low < 0 && high > 0;
  const zero = plotX(0, low, high);
  const isZeroApart = isZeroInside && zero - PLOT.left > 46 && PLOT.width - PLOT.right - zero > 46;
  const label = (x, y, anchor, text) => svg('text', { x, y, 'text-anchor': anchor }, text);
  detail.plot.setAttribute('aria-label', `Histogram of ${values.length} cells from ${format(low)} to ${format(high)}`);
  detail.plot.replaceChildren(
    ...bars,
    svg('path', { class: 'axis', d: `M ${PLOT.left} ${PLOT.top} V ${floor} H ${PLOT.width - PLOT.right}` }),
    ...(isZeroInside ? [svg('line', { class: 'zero', x1: zero, x2: zero, y1: PLOT.top, y2: floor })] : []),
    svg('line', { class: 'here', y1: PLOT.top, y2: floor, visibility: 'hidden' }),
    label(PLOT.left - 4, PLOT.top + 8, 'end', String(most)),
    label(PLOT.left - 4, floor, 'end', '0'),
    label(PLOT.left, floor + 14, 'start', format(low)),
    label(PLOT.width - PLOT.right, floor + 14, 'end', format(high)),
    ...(isZeroApart ? [label(zero, floor + 14, 'middle', '0')] : []),
    label((PLOT.left + PLOT.width - PLOT.right) / 2, PLOT.height - 6, 'middle', `activation x, ${values.length} cells`),
  );
};

const drawNumbers = (run, i, channel) => {
  const { mean, variance, min, max, energy } = channelStatistics(run.stages[i]);
  const entries = [
    ['mean |x|', format(energy[channel])],
    ['mean', format(mean[channel])],
    ['standard deviation', format(Math.sqrt(variance[channel]))],
    ['smallest, largest', `${format(min[channel])}, ${format(max[channel])}`],
  ];
  if (isLastStage(run, i) && run.value.classes.length) {
    const { label, logit, bias } = run.value.classes[classRank(run)];
    const [added, all] = [contributionsOf(run)[channel], logit - bias];
    entries.push([`adds to the logit of ${label}`, `${signed(added)} of ${format(all)}, ${percent(added / all)}`]);
  }
  const lines = entries.flatMap(([term, number]) => [make('dt', '', term), make('dd', '', number)]);
  detail.numbers.replaceChildren(...lines);
};

const clearDetail = () => {
  detail.map = detail.run = null;
  detail.canvas.width = detail.canvas.height = 0;
  detail.image = detail.pixels = null;
  detail.plot.replaceChildren();
  detail.numbers.replaceChildren();
  detail.title.textContent = detail.value.textContent = '';
};
