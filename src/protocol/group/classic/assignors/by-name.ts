import type { AssignorName } from '../../../../driver/consumer.js'
import type { Assignor } from './assignor.js'
import { range } from './range.js'
import { kafkajsRoundRobin, roundRobin } from './round-robin.js'
import { sticky } from './sticky.js'

export const assignorByName: Readonly<Record<AssignorName, Assignor>> = {
  sticky,
  range,
  roundrobin: roundRobin,
  'kafkajs-roundrobin': kafkajsRoundRobin,
}
