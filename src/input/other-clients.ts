/** An option of kafkajs or of Java's client, and the one that does its work here. */
interface Counterpart {
  readonly option: string
  readonly fix: string
}

const places = "write driver: kafkajs({ brokers: ['host:9092'] })"
const byCall = 'take it out, and give it to messaging.transaction('
const committing = 'take it out: what is handled is committed, and commit says how often'

/** For those of `createMessaging` and of producers. */
function inProducers(fix: string): readonly Counterpart[] {
  return ['profile', 'idempotent'].map((option) => ({ option, fix }))
}

const timeoutOfTransactions = [
  { option: 'transaction', fix: 'write transaction: { timeoutMs }' },
  ...inProducers(`${byCall}id, handle, { timeoutMs })`),
]
const exactlyOnce = [
  { option: 'profile', fix: "write profile: 'transactional'" },
  { option: 'transaction', fix: "write createMessaging({ profile: 'transactional', … })" },
]

/** For those that `createMessaging` was given in error: `driver` is its own. */
const ofConsumers = (option: string): Counterpart => ({
  option: 'driver',
  fix: `take it out, and write messaging.consumer({ ${option}, … })`,
})
const ofConnections = { option: 'driver', fix: 'write driver: kafkajs({ brokers, ssl, sasl })' }
const rack = [{ option: 'rackId', fix: 'write rackId' }, ofConsumers('rackId')]
const assignors = [{ option: 'assignors', fix: 'write assignors' }, ofConsumers('assignors')]

/** By their names in small letters without dots, so that `group.id` and `groupId` are one. */
const counterparts: Readonly<Record<string, Counterpart | readonly Counterpart[]>> = {
  eachmessage: { option: 'handle', fix: 'write handle: async (message, context) => { … }' },
  eachbatch: { option: 'handleBatch', fix: 'write handleBatch: async (messages, context) => { … }' },
  groupid: [{ option: 'group', fix: 'write group' }, ofConsumers('group')],
  group: ofConsumers('group'),
  groupinstanceid: ofConsumers('groupInstanceId'),
  assignors: ofConsumers('assignors'),
  partitionassignmentstrategy: assignors,
  groupremoteassignor: { option: 'remoteAssignor', fix: 'write remoteAssignor' },
  rackid: rack,
  clientrack: rack,
  sessiontimeoutms: ofConsumers('sessionTimeoutMs'),
  ssl: ofConnections,
  sasl: ofConnections,
  frombeginning: { option: 'from', fix: "write from: 'earliest', which is the default, or 'latest'" },
  autooffsetreset: {
    option: 'from',
    fix: "write from (where a new group starts) and onOutOfRange: 'earliest' or 'latest'",
  },
  autocommit: { option: 'commit', fix: committing },
  enableautocommit: { option: 'commit', fix: committing },
  autocommitinterval: { option: 'commit', fix: 'write commit: { everyMs }' },
  autocommitthreshold: { option: 'commit', fix: 'write commit: { everyMessages }' },
  autocommitintervalms: { option: 'commit', fix: 'write commit: { everyMs }' },
  partitionsconsumedconcurrently: { option: 'concurrency', fix: "write concurrency, and order: 'partition' or 'key'" },
  maxpollrecords: { option: 'batchMessages', fix: 'write batchMessages, with handleBatch' },
  maxwaittimeinms: { option: 'fetch', fix: 'write fetch: { maxWaitMs }' },
  maxbytesperpartition: { option: 'fetch', fix: 'write fetch: { partitionMaxBytes }' },
  minbytes: { option: 'fetch', fix: 'write fetch: { minBytes }' },
  maxbytes: { option: 'fetch', fix: 'write fetch: { maxBytes }' },
  readuncommitted: { option: 'isolation', fix: "write isolation: 'read-uncommitted' or 'read-committed'" },
  partitionassigners: assignors,
  transactionalid: [
    { option: 'transaction', fix: 'write groupInstanceId: the id is <clientId>-<group>-<groupInstanceId>' },
    ...inProducers(`${byCall}id, …)`),
  ],
  transactiontimeout: timeoutOfTransactions,
  transactiontimeoutms: timeoutOfTransactions,
  transactional: exactlyOnce,
  exactlyonce: exactlyOnce,
  brokers: { option: 'driver', fix: places },
  bootstrapservers: { option: 'driver', fix: places },
}

/** What to write instead of an option of another client, `undefined` when there is nothing of the kind among `names`. */
export function counterpartOf(name: string, names: readonly string[]): string | undefined {
  const letters = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  const found = Object.hasOwn(counterparts, letters) ? counterparts[letters] : undefined
  return found === undefined ? undefined : [found].flat().find(({ option }) => names.includes(option))?.fix
}
