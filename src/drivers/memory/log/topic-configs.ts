const unlimited = '9223372036854775807'

/** Topic settings that the cluster knows, with the defaults of Kafka 4; another name is INVALID_CONFIG. */
const defaults: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'compression.type': 'producer',
  'delete.retention.ms': '86400000',
  'file.delete.delay.ms': '60000',
  'flush.messages': unlimited,
  'flush.ms': unlimited,
  'index.interval.bytes': '4096',
  'local.retention.bytes': '-2',
  'local.retention.ms': '-2',
  'max.compaction.lag.ms': unlimited,
  'message.timestamp.after.max.ms': '3600000',
  'message.timestamp.before.max.ms': unlimited,
  'message.timestamp.type': 'CreateTime',
  'min.cleanable.dirty.ratio': '0.5',
  'min.compaction.lag.ms': '0',
  preallocate: 'false',
  'remote.storage.enable': 'false',
  'retention.bytes': '-1',
  'retention.ms': '604800000',
  'segment.bytes': '1073741824',
  'segment.index.bytes': '10485760',
  'segment.jitter.ms': '0',
  'segment.ms': '604800000',
  'unclean.leader.election.enable': 'false',
}

export interface BrokerDefaults {
  readonly minInsyncReplicas: number
  readonly maxMessageBytes: number
}

export interface ConfigEntry {
  readonly name: string
  readonly value: string
  readonly isDefault: boolean
}

/** The settings of one topic: what was given, else the broker's, else Kafka's. */
export class TopicConfigs {
  readonly #broker: BrokerDefaults
  #given: Readonly<Record<string, string>>
  #read: Read

  constructor(given: Readonly<Record<string, string>>, broker: BrokerDefaults) {
    this.#broker = broker
    this.#given = given
    this.#read = read(given, broker)
  }

  get minInsyncReplicas(): number {
    return this.#read.minInsyncReplicas
  }

  get maxMessageBytes(): number {
    return this.#read.maxMessageBytes
  }

  get appendTime(): boolean {
    return this.#read.appendTime
  }

  get compacted(): boolean {
    return this.#read.compacted
  }

  get uncleanElection(): boolean {
    return this.#read.uncleanElection
  }

  /** -1 keeps everything. */
  get retentionBytes(): number {
    return this.#read.retentionBytes
  }

  /** Records may be refused for their timestamps. */
  get limitsTimestamps(): boolean {
    return this.#read.limitsTimestamps
  }

  get maxBeforeMs(): number {
    return this.#read.maxBeforeMs
  }

  get maxAfterMs(): number {
    return this.#read.maxAfterMs
  }

  get entries(): readonly ConfigEntry[] {
    const values = { ...allDefaults(this.#broker), ...this.#given }
    return Object.entries(values)
      .map(([name, value]) => ({ name, value, isDefault: this.#given[name] === undefined }))
      .sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  /** What is wrong with these changes, `null` when they are made. @param changes `null` takes a setting back */
  change(
    changes: readonly { readonly name: string; readonly value: string | null }[],
    validateOnly: boolean,
  ): string | null {
    const given = new Map(Object.entries(this.#given))
    for (const { name, value } of changes) {
      if (value === null) given.delete(name)
      else given.set(name, value)
    }
    const next = Object.fromEntries(given)
    const problem = configProblem(next, this.#broker)
    if (problem !== null || validateOnly) return problem
    this.#given = next
    this.#read = read(next, this.#broker)
    return null
  }
}

/** What the log looks at with each record. */
type Read = ReturnType<typeof read>

function read(given: Readonly<Record<string, string>>, broker: BrokerDefaults) {
  const values: Readonly<Record<string, string>> = { ...allDefaults(broker), ...given }
  const number = (name: string) => Number(values[name])
  const appendTime = values['message.timestamp.type'] === 'LogAppendTime'
  const maxBeforeMs = number('message.timestamp.before.max.ms')
  const maxAfterMs = number('message.timestamp.after.max.ms')
  return {
    minInsyncReplicas: number('min.insync.replicas'),
    maxMessageBytes: number('max.message.bytes'),
    appendTime,
    compacted: values['cleanup.policy']!.split(',').includes('compact'),
    uncleanElection: values['unclean.leader.election.enable'] === 'true',
    retentionBytes: number('retention.bytes'),
    limitsTimestamps: !appendTime && Math.min(maxBeforeMs, maxAfterMs) < Number(unlimited),
    maxBeforeMs,
    maxAfterMs,
  }
}

/** What is wrong with the settings of a new topic; `null` when nothing is. */
export function configProblem(given: Readonly<Record<string, string>>, broker: BrokerDefaults): string | null {
  const known = allDefaults(broker)
  for (const [name, value] of Object.entries(given)) {
    const standard = known[name]
    if (standard === undefined) return `no topic setting is named ${name}`
    const isNumber = /^-?\d+(\.\d+)?$/.test(standard)
    if (isNumber && !/^-?\d+(\.\d+)?$/.test(value)) return `${name} expects a number, got ${value}`
    if ((standard === 'true' || standard === 'false') && !/^(true|false)$/.test(value)) {
      return `${name} expects true or false, got ${value}`
    }
  }
  if (Number(given['min.insync.replicas'] ?? 1) < 1) {
    return 'min.insync.replicas expects at least 1'
  }
  return null
}

function allDefaults(broker: BrokerDefaults): Readonly<Record<string, string>> {
  return {
    ...defaults,
    'max.message.bytes': String(broker.maxMessageBytes),
    'min.insync.replicas': String(broker.minInsyncReplicas),
  }
}
