// Places: which cell of which stage lies where, and what is marked, read out and compared there.

/** Index along one axis of the cell whose centre is nearest to pixel `at_px` (pixel i has its centre at i). */
const nearest = ({ start_px, stride_px }, at_px, cells) =>
  clamp(Math.floor((at_px - start_px) / stride_px + 0.5), 0, cells - 1);

/** The stage's cell under a place of the picture. */
const cellAt = (run, stage, { x, y }) =>
  nearest(stage, y * run.picture.height - 0.5, stage.height) * stage.width +
  nearest(stage, x * run.picture.width - 0.5, stage.width);

/** The place at which a cell has its centre; outside the picture for cells that lie in wide padding. */
const centreOf = (run, stage, n) => ({
  x: (stage.start_px + (n % stage.width) * stage.stride_px + 0.5) / run.picture.width,
  y: (stage.start_px + Math.floor(n / stage.width) * stage.stride_px + 0.5) / run.picture.height,
});

/** First and last edge of what lies nearest to cell i along one axis, as fractions of the picture. */
const nearestSpan = (stage, i, cells, size_px) => {
  const edge = (at) => clamp((stage.start_px + (at - 0.5) * stage.stride_px + 0.5) / size_px, 0, 1);
  return [i === 0 ? 0 : edge(i), i === cells - 1 ? 1 : edge(i + 1)];
};

/** The same of the receptive field, cut off at the picture's edges. */
const fieldSpan = (stage, i, cells, size_px) => {
  if (stage.receptive_field_px === null) return [0, 1];
  const first = Math.round(stage.start_px - (stage.receptive_field_px - 1) / 2) + i * stage.stride_px;
  return [clamp(first / size_px, 0, 1), clamp((first + stage.receptive_field_px) / size_px, 0, 1)];
};

const boxOf = (span, run, stage, n) => {
  const [left, right] = span(stage, n % stage.width, stage.width, run.picture.width);
  const [top, bottom] = span(stage, Math.floor(n / stage.width), stage.height, run.picture.height);
  return { left, top, width: right - left, height: bottom - top };
};

const place = (node, box) => {
  for (const [side, share] of Object.entries(box)) node.style[side] = `${100 * share}%`;
  node.hidden = false;
};

const CENTRE = { x: 0.5, y: 0.5 };

/** The row that is pointed at; the first one while none is. */
const pointedRow = () => (state.pointed.row?.run ? state.pointed.row : rowsShown()[0]);

/** Whether a row is compared with the place that is pointed at in the other row, whose features mean the same. */
const looksAcross = (row) =>
  state.view === 'similarity' &&
  state.reference === 'pointed' &&
  row !== pointedRow() &&
  row.run.value.variant === pointedRow().run.value.variant;

/** Similarity of a stage's cells to the place, or to the middle while there is none; true if it was drawn anew. */
const drawSimilarity = (figure) => {
  const { row, i, map } = figure;
  const source = looksAcross(row) ? pointedRow().run : row.run;
  const cell = cellAt(source, source.stages[i], state.place || CENTRE);
  if (map.values && map.source === source && map.cell === cell) return false;
  const stage = row.run.stages[i];
  map.values ||= new Float32Array(stage.cells);
  cosinesTo(unitCells(source.stages[i]), cell * stage.channels, stage, map.values);
  Object.assign(map, { source, cell });
  paint(figure);
  return true;
};

/** The cells that are marked in a stage: of the place (looking across: the most similar one), and of the probe. */
const markedCells = ({ row, i, map }) => {
  const { run } = row;
  const at = (where) => (where ? cellAt(run, run.stages[i], where) : null);
  const isAcross = state.place && looksAcross(row);
  return { marked: isAcross ? indexOfLargest(map.values) : at(state.place), probed: at(state.probe) };
};

/** The place in one stage: marked and read out. True if anything changed. */
const drawCell = (figure) => {
  const changed = state.view === 'similarity' && drawSimilarity(figure);
  const { marked, probed } = markedCells(figure);
  if (!changed && figure.marked === marked && figure.probed === probed) return false;
  Object.assign(figure, { marked, probed });
  const stage = figure.row.run.stages[figure.i];
  markCell(figure.mark, stage, marked);
  markCell(figure.probe, stage, probed);
  const n = probed ?? marked;
  figure.value.textContent = n === null ? '' : reading(figure.map, n);
  figure.where.textContent = n === null ? '' : cellInWords(stage, n);
  figure.tick.hidden = n === null || bandsOf(figure.map) === 3;
  if (!figure.tick.hidden) figure.tick.style.left = `${100 * shareOf(figure.map, figure.map.values[n])}%`;
  return true;
};

const shareOf = ({ range: [low, high] }, value) => clamp(high > low ? (value - low) / (high - low) : 0.5, 0, 1);

const markCell = (mark, { height, width }, n) => {
  mark.hidden = n === null;
  if (n === null) return;
  place(mark, { left: (n % width) / width, top: Math.floor(n / width) / height, width: 1 / width, height: 1 / height });
};

/** In the picture: the part that is nearest to the cell of the stage that is looked at, and that cell's field. */
const drawInPicture = (row) => {
  const { run, pictureFigure: figure } = row;
  const i = clamp(state.pointed.i ?? state.stage, 0, run.stages.length - 1);
  const stage = run.stages[i];
  const { marked, probed } = row.figures[i];
  const n = probed ?? marked;
  figure.mark.hidden = figure.probe.hidden = figure.field.hidden = true;
  figure.value.textContent = n === null && state.view === 'similarity' ? 'similar to the middle' : '';
  figure.where.textContent = 'point, tap or use the arrow keys';
  if (n === null) return;
  if (marked !== null) place(figure.mark, boxOf(nearestSpan, run, stage, marked));
  if (probed !== null) place(figure.probe, boxOf(nearestSpan, run, stage, probed));
  const field = boxOf(fieldSpan, run, stage, n);
  place(figure.field, field);
  figure.value.textContent = placeInWords(run, n, stage);
  figure.where.textContent = `${state.pinned ? 'pinned; ' : ''}framed: what this cell of stage ${i + 1} can see`;
};

const cellInWords = ({ width }, n) => `row ${Math.floor(n / width)}, column ${n % width}`;

const placeInWords = (run, n, stage) => {
  const { x, y } = centreOf(run, stage, n);
  return `around x ${Math.round(x * run.picture.width - 0.5)}, y ${Math.round(y * run.picture.height - 0.5)}`;
};

/** The place in a row; true if anything changed. */
const drawPlace = (row) => {
  const changed = row.figures.map(drawCell).some(Boolean);
  drawInPicture(row);
  return changed;
};
