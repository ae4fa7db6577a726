import type { Broker } from '../../../connection/requests/metadata.js'

/** Where a broker says it listens; nothing does. */
export function brokerAddress(node: number, rack: string | null): Broker {
  return { nodeId: node, host: `broker-${node}.memory`, port: 9092, rack }
}
