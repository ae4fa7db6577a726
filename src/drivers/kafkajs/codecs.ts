import kafkajs from 'kafkajs'
import { builtInCodecs, type CodecRegistry, type CompressionCodec } from '../../wire/compression.js'
import { WireError } from '../../wire/wire-error.js'

/** What `CompressionCodecs` of kafkajs holds: a factory by compression type. */
interface KafkajsCodec {
  compress(encoder: { readonly buffer: Buffer }): Buffer | Promise<Buffer>
  decompress(buffer: Buffer): Buffer | Promise<Buffer>
}

const types = {
  snappy: kafkajs.CompressionTypes.Snappy,
  lz4: kafkajs.CompressionTypes.LZ4,
  zstd: kafkajs.CompressionTypes.ZSTD,
}
const packages = { snappy: 'kafkajs-snappy', lz4: 'kafkajs-lz4', zstd: '@kafkajs/zstd' }

/** gzip is built in; the others are whatever was put into kafkajs's `CompressionCodecs`, as kafkajs itself would use it. */
export const kafkajsCodecs: CodecRegistry = (compression) => {
  if (compression === 'gzip') return builtInCodecs('gzip')
  const factories = kafkajs.CompressionCodecs as unknown as Readonly<Record<number, () => KafkajsCodec>>
  let codec: KafkajsCodec
  try {
    codec = factories[types[compression]]!()
  } catch (cause) {
    // What kafkajs ships for the three is a factory that throws.
    throw new WireError(
      'no-codec',
      `no codec for ${compression} compression; put one into CompressionCodecs of kafkajs, for example ${packages[compression]}`,
      { cause },
    )
  }
  return adapted(codec)
}

function adapted(codec: KafkajsCodec): CompressionCodec {
  return {
    compress: (bytes) => codec.compress({ buffer: bytes }),
    decompress: (bytes) => codec.decompress(bytes),
  }
}
