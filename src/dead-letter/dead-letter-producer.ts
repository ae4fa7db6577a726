import type { ProducerOptions } from '../producer/producer-options.js'

/**
 * A dead letter is as large as what was read, so the topic alone decides what is too large; and what was stored compressed must
 * fit again.
 */
export const letterProducer: Pick<ProducerOptions, 'maxRequestBytes' | 'bufferBytes' | 'compression'> = {
  maxRequestBytes: 32 * 1_048_576,
  bufferBytes: 64 * 1_048_576,
  compression: 'gzip',
}
