// Values to colours, by tables of 256 colours, and the colours of a map's pixels.

// Every fifth colour of matplotlib's inferno (Stefan van der Walt and Nathaniel Smith, CC0): light means much, equal
// steps look equally large, and it reads in grey. Between them sRGB is interpolated linearly, at most 1 of 255 off.
const INFERNO =
  '00000301010b0403160906210f092d160b391d0c45260b502e0a5a370961400966480b6a500d6c58106d60136e68166e' +
  '70196e781c6d801f6b88216a902468982765a02a62a72d5faf315bb73456be3852c53d4dcc4148d24742d94d3dde5337' +
  'e45a31e8612bed6825f0701ef37918f68111f88a0bfa9306fb9d06fba60bfbb014fbb91ef9c32af8cd37f5d745f3e056' +
  'f1e968f1f27df5f891fcfea4';

// ColorBrewer's RdBu with eleven classes (Cynthia Brewer), from blue to red: pale is zero, and no colour-blind reader
// mistakes one side for the other.
const RED_BLUE = '0530612166ac4393c392c5ded1e5f0f7f7f7fddbc7f4a582d6604db2182b67001f';

/** 256 colours as they lie in an ImageData's memory (little-endian ABGR), from anchors that are equally far apart. */
const tableOf = (anchors) => {
  const colours = anchors.match(/.{6}/g).map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (colours.length - 1);
    const below = Math.min(Math.floor(at), colours.length - 2);
    const between = colours[below].map((start, k) => start + (at - below) * (colours[below + 1][k] - start));
    return pixel(...between.map(Math.round));
  });
};

const pixel = (red, green, blue) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;

const SEQUENTIAL = tableOf(INFERNO);
const DIVERGING = tableOf(RED_BLUE);
const NOTHING = 0; // transparent: the page shows through where there is no value

/** Each value's colour: 256 equal steps from low to high; what lies beyond gets the first or last colour. */
const paintValues = (values, table, low, high, pixels) => {
  const steps = high > low ? 256 / (high - low) : 0;
  for (let n = 0; n < values.length; n++) {
    const value = values[n];
    const step = steps ? (value - low) * steps : value < low ? 0 : value > high ? 255 : 128;
    pixels[n] = Number.isNaN(value) ? NOTHING : table[step < 0 ? 0 : step > 255 ? 255 : step | 0];
  }
};

/** Each (red, green, blue) in [0, 1] as the nearest colour. */
const paintColours = (rgb, pixels) => {
  const level = (share) => Math.round(255 * share);
  for (let n = 0, at = 0; n < pixels.length; n++, at += 3) {
    pixels[n] = Number.isNaN(rgb[at]) ? NOTHING : pixel(level(rgb[at]), level(rgb[at + 1]), level(rgb[at + 2]));
  }
};

const cssColour = (colour) => `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;

/** The colours of a legend from left to right: a table's, or from black to the end of a component. */
const stopsOf = (table) => Array.from({ length: 33 }, (_, i) => cssColour(table[Math.min(i * 8, 255)]));
const LEGENDS = new Map([SEQUENTIAL, DIVERGING].map((table) => [table, stopsOf(table)]));
const GREYS = ['#000', '#fff'];
const COMPONENTS = ['#f00', '#0f0', '#00f'];

const gradientOf = (stops) => `linear-gradient(to right, ${stops.join(', ')})`;
