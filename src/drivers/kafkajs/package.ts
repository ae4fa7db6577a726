import { createRequire } from 'node:module'
import { RequestError } from '../../connection/request-error.js'

/** What `CompressionCodecs` of kafkajs holds: a factory by compression type. */
type CodecFactories = Readonly<Record<number, (() => unknown) | undefined>>

/**
 * kafkajs is a peer that an application may have forgotten, so nothing here imports it while it is loaded itself: that would
 * fail with words of Node's, before anybody can say what to install.
 */
let loaded: CodecFactories | null = null

/** @throws RequestError `unsupported` when it is not installed, or fails to load */
export async function loadPackage(): Promise<void> {
  try {
    const { default: kafkajs } = await import('kafkajs')
    loaded = kafkajs.CompressionCodecs as unknown as CodecFactories
  } catch (error) {
    throw new RequestError('unsupported', 'never', whyNotLoaded(error), error)
  }
}

/** A package that is there and fails is not mended by installing it: in bundles of ES modules it has no `require`. */
export function whyNotLoaded(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  const fix = /MODULE_NOT_FOUND$/.test(String(code))
    ? 'could not be loaded: npm install kafkajs@2.2.4 (tests on memory() do without)'
    : `failed to load (${String(message)}): in a bundle of ES modules give it Node's \`require\` by a banner, or leave it out of the bundle`
  return `tidemark/kafkajs uses the package kafkajs, which ${fix}`
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
