// The current view as one labelled PNG, composed here.

const PNG = { panel: 300, gap: 20, margin: 28, head: 62, rowHead: 34, figureHead: 24, legend: 44 }; // in pixels

const savePng = () => {
  const { variant, example } = rowsShown()[0].run.value;
  const name = ['poolformer', variant, example, state.view].filter(Boolean).join('-').replaceAll(/[^\w-]+/g, '-');
  composePng().toBlob((blob) => {
    const link = make('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    say(`Saved as ${link.download}.`);
  });
};

const composePng = () => {
  const shown = rowsShown();
  const figures = Math.max(...shown.map((row) => row.figures.length)) + 1;
  const heights = shown.map((row) => Math.round((PNG.panel * row.run.picture.height) / row.run.picture.width));
  const rowHeight = (tall) => PNG.rowHead + PNG.figureHead + tall + PNG.legend;
  const canvas = make('canvas');
  canvas.width = 2 * PNG.margin + figures * (PNG.panel + PNG.gap) - PNG.gap;
  canvas.height = 2 * PNG.margin + PNG.head + heights.reduce((sum, tall) => sum + rowHeight(tall), 0);
  const pen = penOf(canvas);
  pen.text(PNG.margin, PNG.margin + 18, `PoolFormer, ${VIEWS[state.view].title}`, 22, 700);
  pen.text(PNG.margin, PNG.margin + 42, describeSettings(), 14);
  let top = PNG.margin + PNG.head;
  shown.forEach((row, at) => {
    drawRowIn(pen, row, top, heights[at]);
    top += rowHeight(heights[at]);
  });
  return canvas;
};

/** A canvas's context in the page's own colours and letters, with one way to write. */
const penOf = (canvas) => {
  const context = canvas.getContext('2d');
  const style = getComputedStyle(root);
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  const text = (x, y, sentence, size, weight = 400, align = 'left') => {
    context.font = `${weight} ${size}px ${style.fontFamily}`;
    context.fillStyle = style.color;
    context.textAlign = align;
    context.fillText(sentence, x, y);
  };
  return { context, text };
};

const describeSettings = () => {
  const range = rangeShown() === 'all' ? 'one range for all stages' : `range per ${rangeShown()}`;
  const ranged = hasRange() ? [range, `clipped at percentile ${format(state.clip)}`] : [];
  return [...ranged, 'maps are height × width × channels'].join(' · ');
};

const drawRowIn = (pen, row, top, tall) => {
  pen.text(PNG.margin, top + 18, row.label.textContent, 16, 700);
  [row.pictureFigure, ...row.figures].forEach((figure, at) => {
    const left = PNG.margin + at * (PNG.panel + PNG.gap);
    drawFigureIn(pen, figure, left, top + PNG.rowHead, tall);
  });
};

const drawFigureIn = (pen, figure, left, top, tall) => {
  const mapTop = top + PNG.figureHead;
  pen.text(left, top + 14, `${figure.title.textContent} · ${figure.shape.textContent}`, 14);
  pen.context.drawImage(figure.canvas, left, mapTop, PNG.panel, tall);
  for (const mark of [figure.field, figure.mark, figure.probe]) drawMarkIn(pen.context, mark, left, mapTop, tall);
  if (figure.map) drawLegendIn(pen, figure, left, mapTop + tall + 8);
};

/** A mark as it is on the page: dark outside, light inside, so that it shows on every colour. */
const drawMarkIn = (context, mark, left, top, tall) => {
  if (!mark || mark.hidden) return;
  const share = (side) => parseFloat(mark.style[side]) / 100;
  const corner = [left + share('left') * PNG.panel, top + share('top') * tall];
  const size = [share('width') * PNG.panel, share('height') * tall];
  for (const [width, colour] of [
    [4, '#000'],
    [2, '#fff'],
  ]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.strokeRect(...corner, ...size);
  }
};

const drawLegendIn = ({ context, text }, { map, low, high, value }, left, top) => {
  const read = value.textContent ? `; here ${value.textContent}` : '';
  if (map.components) {
    const shares = map.components.explained.map((share, k) => `${['R', 'G', 'B'][k]} ${percent(share)}`);
    text(left, top + 12, `${shares.join(', ')} of the variance`, 13);
    text(left, top + 30, read.slice(2), 13);
    return;
  }
  text(left, top + 12, low.textContent, 13);
  const start = left + context.measureText(low.textContent).width + 8;
  const width = left + PNG.panel - 8 - context.measureText(high.textContent).width - start;
  const bar = context.createLinearGradient(start, 0, start + width, 0);
  const stops = LEGENDS.get(map.table) || GREYS;
  stops.forEach((colour, i) => bar.addColorStop(i / (stops.length - 1), colour));
  context.fillStyle = bar;
  context.fillRect(start, top + 2, width, 10);
  text(left + PNG.panel, top + 12, high.textContent, 13, 400, 'right');
  text(left, top + 30, `${map.unit}${read}`, 13);
};
