import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'

const load = createRequire(import.meta.url)

/** Codecs of kafkajs's registry that can be loaded here; none of them is a dependency. */
const packages = [
  { compression: 'snappy', type: kafkajs.CompressionTypes.Snappy, name: 'kafkajs-snappy', codecOf: asItIs },
  { compression: 'lz4', type: kafkajs.CompressionTypes.LZ4, name: 'kafkajs-lz4', codecOf: ofAnInstance },
  { compression: 'zstd', type: kafkajs.CompressionTypes.ZSTD, name: '@kafkajs/zstd', codecOf: ofACall },
] as const

/** Registers what is installed, and names it. */
export function installedCodecs(): readonly (typeof packages)[number]['compression'][] {
  return packages.flatMap(({ compression, type, name, codecOf }) => {
    try {
      kafkajs.CompressionCodecs[type] = codecOf(load(name)) as () => unknown
      return [compression]
    } catch {
      process.stderr.write(`${name} is not installed: left out\n`)
      return []
    }
  })
}

function asItIs(loaded: unknown): unknown {
  return loaded
}

function ofAnInstance(loaded: unknown): unknown {
  const Codec = loaded as new () => { codec: unknown }
  return new Codec().codec
}

function ofACall(loaded: unknown): unknown {
  return (loaded as () => unknown)()
}
