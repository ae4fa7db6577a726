import type { Message } from 'kafkajs'
import { heartbeatId } from '../../examples/alarm/ids.js'
import { rawEvents } from '../../examples/alarm/topics.js'

/** How far time has come, to each partition. */
export function peerHeartbeats(timestamp: number): Message[] {
  return Array.from({ length: rawEvents.partitions }, (_, partition) => {
    const value = {
      ...{ event_id: heartbeatId(partition, timestamp), event_type: 'heartbeat', timestamp, bk_biz_id: 0 },
      ...{ raw_data: { metric: 'access.heartbeat', value: 1, dimensions: {} }, event_source: 'access', priority: 1 },
    }
    return { partition, value: JSON.stringify(value) }
  })
}
