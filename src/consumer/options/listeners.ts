import type { ClientEvent } from '../../telemetry/events.js'
import { tellListener, type Telemetry } from '../../telemetry/guard.js'
import type { ResolvedConsumerOptions } from './consumer-schema.js'

type Listeners = Pick<ResolvedConsumerOptions, 'onDrained' | 'onPartitionStopped' | 'onFailed'>

/** The same telemetry, of which the listeners in the options hear what they are for. */
export function withListeners(telemetry: Telemetry, listeners: Listeners): Telemetry {
  const { onEvent } = telemetry
  const { onDrained, onPartitionStopped, onFailed } = listeners
  const hear = (event: ClientEvent): void => {
    if (event.kind === 'drained') tellListener('onDrained', () => onDrained?.(event.drain), telemetry)
    if (event.kind === 'failed') tellListener('onFailed', () => onFailed?.(event.error), telemetry)
    if (event.kind === 'partition-stopped') {
      const { topic, partition, error } = event
      tellListener('onPartitionStopped', () => onPartitionStopped?.({ topic, partition }, error), telemetry)
    }
    onEvent?.(event)
  }
  return { ...telemetry, onEvent: hear }
}
