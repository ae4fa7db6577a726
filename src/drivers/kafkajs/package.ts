import { createRequire } from 'node:module'
import { RequestError } from '../../connection/request-error.js'

/** What `CompressionCodecs` of kafkajs holds: a factory by compression type. */
type CodecFactories = Readonly<Record<number, (() => unknown) | undefined>>

/**
 * kafkajs is a peer that an application may have forgotten, so nothing here imports it while it is loaded itself: that would
 * fail with words of Node's, before anybody can say what to install.
 */
let loaded: CodecFactories | null = null

/** @throws RequestError `unsupported` when it is not installed */
export async function loadPackage(): Promise<void> {
  try {
    const { default: kafkajs } = await import('kafkajs')
    loaded = kafkajs.CompressionCodecs as unknown as CodecFactories
  } catch (error) {
    throw new RequestError(
      'unsupported',
      'never',
      'tidemark/kafkajs uses the package kafkajs, which could not be loaded: npm install kafkajs@2.2.4 (tests on memory() do without)',
      error,
    )
  }
}

/** `null` before it was loaded, where it cannot be had at once: in a bundle. */
export function compressionCodecs(): CodecFactories | null {
  return (loaded ??= loadNow())
}

function loadNow(): CodecFactories | null {
  try {
    const load = createRequire(import.meta.url)
    return (load('kafkajs') as { readonly CompressionCodecs: CodecFactories }).CompressionCodecs
  } catch {
    return null
  }
}
