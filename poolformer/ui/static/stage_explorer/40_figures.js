// A figure: a title, a map in a frame that can be pointed at, its legend, and the reading at the place.

const figureOf = new WeakMap(); // by frame

const makeFrame = (figure) => {
  const frame = make('div', 'frame');
  frame.tabIndex = 0;
  frame.setAttribute('role', 'application'); // so that arrow keys reach the script and not the screen reader
  frame.setAttribute('aria-roledescription', 'map');
  figure.canvas = make('canvas', 'map');
  figure.context = figure.canvas.getContext('2d');
  figure.mark = make('div', 'mark');
  figure.probe = make('div', 'mark probe');
  figure.mark.hidden = figure.probe.hidden = true;
  frame.append(figure.canvas, figure.mark, figure.probe);
  figureOf.set(frame, figure);
  figure.frame = frame;
  return frame;
};

const makeLegend = (figure) => {
  const legend = make('div', 'legend');
  const scale = make('div', 'scale');
  figure.low = make('span', 'low');
  figure.high = make('span', 'high');
  figure.bar = make('span', 'bar');
  figure.tick = make('span', 'tick');
  figure.unit = make('p', 'unit');
  figure.shares = make('div', 'shares');
  figure.bar.append(figure.tick);
  scale.append(figure.low, figure.bar, figure.high);
  legend.append(scale, figure.shares, figure.unit);
  figure.scale = scale;
  return legend;
};

/** A stage's figure (i counts from 0), or the picture's (i is null), in a row. */
const makeFigure = (row, i) => {
  const figure = { row, i, map: null, marked: null, probed: null };
  const box = make('section', i === null ? 'figure picture' : 'figure');
  const head = make('header', 'head');
  figure.title = make(i === null ? 'span' : 'button', 'title', i === null ? 'Picture' : `Stage ${i + 1}`);
  if (i !== null) {
    figure.title.type = 'button';
    figure.title.dataset.stage = i;
  }
  figure.shape = make('span', 'shape');
  figure.reach = make('span', 'reach');
  figure.value = make('p', 'value');
  figure.where = make('p', 'where');
  box.setAttribute('aria-label', `${row.prefix}${i === null ? 'Picture' : `Stage ${i + 1}`}`);
  head.append(figure.title, figure.shape, figure.reach);
  const text = make('div', 'text');
  if (i !== null) text.append(makeLegend(figure));
  text.append(figure.value, figure.where);
  box.append(head, makeFrame(figure), text);
  if (i === null) {
    figure.field = make('div', 'field');
    figure.field.hidden = true;
    figure.frame.append(figure.field);
  }
  figure.box = box;
  return figure;
};

/** The canvas at the map's own size; CSS enlarges it. Its memory is used again while the size stays. */
const fit = (figure, height, width) => {
  const { canvas } = figure;
  if (figure.image && canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
  figure.image = figure.context.createImageData(width, height);
  figure.pixels = new Uint32Array(figure.image.data.buffer);
};

const paint = (figure) => {
  const { map, pixels } = figure;
  if (bandsOf(map) === 3) paintColours(map.values, pixels);
  else paintValues(map.values, map.table, ...map.range, pixels);
  figure.context.putImageData(figure.image, 0, 0);
};

const paintPicture = (figure) => {
  const { height, width, rgb } = figure.row.run.picture;
  fit(figure, height, width);
  for (let n = 0; n < figure.pixels.length; n++) figure.pixels[n] = pixel(rgb[3 * n], rgb[3 * n + 1], rgb[3 * n + 2]);
  figure.context.putImageData(figure.image, 0, 0);
};

/** Numbers and unit of a map's colours; a value beyond the range is drawn as its end, which then says so. */
const drawLegend = (figure) => {
  const { map } = figure;
  figure.unit.textContent = map.unit;
  figure.scale.hidden = bandsOf(map) === 3 && Boolean(map.components);
  figure.shares.hidden = !map.components;
  figure.tick.hidden = true;
  if (map.components) return drawShares(figure.shares, map.components);
  const [low, high] = map.range || [0, 255];
  const beyond = map.range && map.values ? extremesOf(map.values) : [low, high];
  figure.low.textContent = `${beyond[0] < low ? '≤ ' : ''}${format(low)}`;
  figure.high.textContent = `${beyond[1] > high ? '≥ ' : ''}${format(high)}`;
  figure.bar.style.background = gradientOf(LEGENDS.get(map.table) || GREYS);
};

/** Of each component: its colour, the scores at both ends of it, and its share of the variance. */
const drawShares = (box, { explained, spans }) => {
  const lines = COMPONENTS.map((colour, k) => {
    const line = make('div', 'scale');
    const bar = make('span', 'bar');
    const [low, high] = (spans[k] || [NaN, NaN]).map(format);
    bar.style.background = gradientOf(['#000', colour]);
    line.append(make('span', 'low', low), bar, make('span', 'high', high));
    line.append(make('span', 'share', percent(explained[k])));
    return line;
  });
  box.replaceChildren(...lines);
};

const drawHead = (figure) => {
  const { run } = figure.row;
  figure.frame.style.aspectRatio = `${run.picture.width} / ${run.picture.height}`;
  if (figure.i === null) {
    figure.shape.textContent = `${run.picture.height} × ${run.picture.width} px`;
    figure.reach.textContent = 'what the network saw';
    figure.frame.dataset.size = run.picture.width < 128 ? 'small' : 'large';
    return;
  }
  const { height, width, channels, stride_px: stride, receptive_field_px: field } = run.stages[figure.i];
  figure.shape.textContent = `${height} × ${width} × ${channels}`;
  figure.reach.textContent = `stride ${stride} px, receptive field ${field === null ? 'everything' : `${field} px`}`;
};
