import type { Mutant } from './mutant.js'

const durability = 'test/unit/operations/durability.test.ts'
const application = 'test/unit/testing/application.test.ts'

/** Bugs in how topics are looked at, and in what tests of applications wait for. */
export const durabilityMutants: readonly Mutant[] = [
  {
    name: 'one copy is as good as three',
    file: 'src/operations/durability.ts',
    find: 'grave: brokers >= needs.minReplicationFactor',
    replace: 'grave: false',
    why: 'what cp acknowledged is lost with one disk',
    units: durability,
  },
  {
    name: 'one replica in sync is enough',
    file: 'src/operations/durability.ts',
    find: 'if (inSync < needs.minInsyncReplicas)',
    replace: 'if (inSync < 1)',
    why: 'what cp acknowledged may be on one broker alone',
    units: durability,
  },
  {
    name: 'a topic that was let through is looked at again',
    file: 'src/operations/durability-check.ts',
    find: 'topics.filter((topic) => !this.#passed.has(passOf(setting, topic)))',
    replace: '[...topics]',
    why: 'a producer that runs is refused when somebody changes the topic',
    units: durability,
  },
  {
    name: 'a send waits for the look as long as it may wait at all',
    file: 'src/operations/durability-check.ts',
    find: 'Math.min(withinMs, lookMs)',
    replace: 'withinMs',
    why: 'where nobody may look, the first send takes a quarter of a minute',
    units: durability,
  },
  {
    name: 'the look uses up the time of the send',
    file: 'src/producer/placement.ts',
    find: '(deadline - clock.now()) / 2)',
    replace: 'deadline - clock.now())',
    why: 'where nobody may look, sends that have little time are not stored',
    units: durability,
  },
  {
    name: 'topics are made with as many copies as the broker is set to',
    file: 'src/operations/new-topic.ts',
    find: 'topic.replicationFactor === -1 ? Math.min(needs.minReplicationFactor, brokers) : topic.replicationFactor',
    replace: 'topic.replicationFactor',
    why: 'ensureTopics makes what cp then refuses',
    units: durability,
  },
  {
    name: 'a topic of dead letters does not see the partitions of its source',
    file: 'src/operations/new-topic.ts',
    find: 'return existing.get(source) ?? ',
    replace: 'return ',
    why: 'letters of one partition are spread, or heaped on one',
    units: durability,
  },
  {
    name: 'idle is what has no handler running',
    file: 'src/testing/application/until-idle.ts',
    find: 'facts.unsettled === 0 && facts.position >= end',
    replace: 'facts.unsettled === 0',
    why: 'a test looks at what came of records before they were read',
    units: application,
  },
  {
    name: 'a handler tried alone handles what it sent to its own topic',
    file: 'src/testing/application/handle-one.ts',
    find: 'if (!messages.every((message) => this.isIt(message))) throw',
    replace: 'if (messages.length === 0) throw',
    why: 'a test of a handler that sends on to its topic never ends',
    units: application,
  },
]
