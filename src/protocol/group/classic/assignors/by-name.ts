import type { AssignorName } from '../../../../driver/consumer.js'
import type { Assignor } from './assignor.js'
import { cooperativeSticky } from './cooperative-sticky.js'
import { range } from './range.js'
import { kafkajsRoundRobin, roundRobin } from './round-robin.js'
import { sticky } from './sticky.js'

export const assignorByName: Readonly<Record<AssignorName, Assignor>> = {
  'cooperative-sticky': cooperativeSticky,
  sticky,
  range,
  roundrobin: roundRobin,
  'kafkajs-roundrobin': kafkajsRoundRobin,
}
