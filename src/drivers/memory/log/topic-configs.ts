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

/** The settings of one topic: what was given, else the broker's, else Kafka's. Read once, when the topic is made. */
export class TopicConfigs {
  readonly minInsyncReplicas: number
  readonly maxMessageBytes: number
  readonly appendTime: boolean
  readonly compacted: boolean
  readonly uncleanElection: boolean
  /** -1 keeps everything. */
  readonly retentionBytes: number
  /** Records may be refused for their timestamps. */
  readonly limitsTimestamps: boolean
  readonly maxBeforeMs: number
  readonly maxAfterMs: number
  readonly entries: readonly ConfigEntry[]

  constructor(given: Readonly<Record<string, string>>, broker: BrokerDefaults) {
    const values: Readonly<Record<string, string>> = { ...allDefaults(broker), ...given }
    const number = (name: string) => Number(values[name])
    this.minInsyncReplicas = number('min.insync.replicas')
    this.maxMessageBytes = number('max.message.bytes')
    this.appendTime = values['message.timestamp.type'] === 'LogAppendTime'
    this.compacted = values['cleanup.policy']!.split(',').includes('compact')
    this.uncleanElection = values['unclean.leader.election.enable'] === 'true'
    this.retentionBytes = number('retention.bytes')
    this.maxBeforeMs = number('message.timestamp.before.max.ms')
    this.maxAfterMs = number('message.timestamp.after.max.ms')
    this.limitsTimestamps = !this.appendTime && Math.min(this.maxBeforeMs, this.maxAfterMs) < Number(unlimited)
    this.entries = Object.keys(values)
      .sort()
      .map((name) => ({ name, value: values[name]!, isDefault: given[name] === undefined }))
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
