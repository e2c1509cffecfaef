// A row: the picture and the stages of one run. The newest result has one, and what is kept beside it another.

const makeRow = (name) => {
  const row = { name, run: null, figures: [], prefix: name === 'kept' ? 'Kept: ' : '', pictureFigure: null };
  row.box = find(`.run.${name}`);
  row.grid = row.box.querySelector('.figures');
  row.label = row.box.querySelector('.label');
  return row;
};

/** Figures for as many stages as the run has; those that fit are used again. */
const buildFigures = (row) => {
  if (row.figures.length === row.run.stages.length) return;
  row.pictureFigure = makeFigure(row, null);
  row.figures = row.run.stages.map((_, i) => makeFigure(row, i));
  row.grid.replaceChildren(row.pictureFigure.box, ...row.figures.map((figure) => figure.box));
};

const showRun = (row, run) => {
  row.run = run;
  row.box.hidden = !run;
  if (!run) {
    row.grid.replaceChildren();
    row.figures = [];
    row.pictureFigure = null;
    row.label.textContent = '';
    return;
  }
  buildFigures(row);
  const { variant_note: note, example, classes } = run.value;
  const answer = classes.length ? `${classes[0].label} ${percent(classes[0].probability)}` : '';
  row.label.textContent = [row.prefix + note, example, answer].filter(Boolean).join(' · ');
  paintPicture(row.pictureFigure);
  for (const figure of [row.pictureFigure, ...row.figures]) drawHead(figure);
};

/** Every map of a row in the current view. Similarity has no values yet: they follow from the place. */
const drawMaps = (row) => {
  const title = VIEWS[state.view].title;
  for (const figure of row.figures) {
    const stage = row.run.stages[figure.i];
    figure.map = VIEWS[state.view].show(row.run, figure.i);
    figure.marked = figure.probed = undefined; // drawn anew, wherever the place is
    fit(figure, stage.height, stage.width);
    drawLegend(figure);
    nameFrame(figure, `Stage ${figure.i + 1}, ${title}, ${stage.height} by ${stage.width} cells`);
    if (figure.map.values) paint(figure);
  }
  const { height, width } = row.run.picture;
  nameFrame(row.pictureFigure, `Picture, ${height} by ${width} pixels`);
};

const nameFrame = (figure, name) => figure.frame.setAttribute('aria-label', figure.row.prefix + name);
