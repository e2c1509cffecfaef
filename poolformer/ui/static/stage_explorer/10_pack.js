// A run as it travels: one file in the safetensors format, and what the value says about it.

const ARRAYS = { U8: Uint8Array, F32: Float32Array };
const PACK_FORMAT = 'poolformer-activations/1';

/** {tensors: {name: {data, shape}}, metadata} of a safetensors file. Data that lies aligned is not copied. */
const parsePack = (buffer) => {
  const headerBytes = Number(new DataView(buffer).getBigUint64(0, true));
  const start = 8 + headerBytes;
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(
    new TextDecoder().decode(new Uint8Array(buffer, 8, headerBytes)),
  );
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(entries)) {
    const Type = ARRAYS[dtype];
    const length = shape.reduce((product, edge) => product * edge, 1);
    if (!Type || to - from !== length * Type.BYTES_PER_ELEMENT) throw new Error(`${name} is damaged`);
    const isAligned = (start + from) % Type.BYTES_PER_ELEMENT === 0;
    const data = isAligned
      ? new Type(buffer, start + from, length)
      : new Type(buffer.slice(start + from, start + to));
    tensors[name] = { data, shape };
  }
  return { tensors, metadata };
};

/** A run: {value, bytes, picture, stages, contributions}; each stage has its geometry, codes, offset and scale. */
const buildRun = (buffer, value) => {
  const { tensors, metadata } = parsePack(buffer);
  if (metadata.format !== PACK_FORMAT) throw new Error(`its format is ${metadata.format}`);
  const tensor = (name, ...shape) => {
    const found = tensors[name];
    const fits = found && shape.every((edge, axis) => edge === undefined || edge === found.shape[axis]);
    if (!fits || found.shape.length !== shape.length) throw new Error(`${name} does not fit`);
    return found;
  };
  const stages = value.stages.map((geometry, i) => {
    const { channels, height, width } = geometry;
    return {
      ...geometry,
      cells: height * width,
      codes: tensor(`stage${i + 1}.codes`, channels, height, width).data,
      offset: tensor(`stage${i + 1}.offset`, channels).data,
      scale: tensor(`stage${i + 1}.scale`, channels).data,
    };
  });
  const picture = tensor('picture', undefined, undefined, 3);
  const [height, width] = picture.shape;
  const contributions = tensor('contributions', value.classes.length, stages.at(-1).channels).data;
  return { value, bytes: buffer.byteLength, picture: { height, width, rgb: picture.data }, stages, contributions };
};

/** What `compute` gives, kept with its owner (a stage or a run) and dropped with it. */
const kept = new WeakMap();
const once = (owner, key, compute) => {
  if (!kept.has(owner)) kept.set(owner, new Map());
  const known = kept.get(owner);
  if (!known.has(key)) known.set(key, compute());
  return known.get(key);
};
