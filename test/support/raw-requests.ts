import { connect } from 'node:net'
import { Answer, Bytes } from './raw-bytes.js'

/**
 * Admin requests of the harness in raw bytes, one connection each, so that what prepares and watches a cluster
 * shares no code with what is tested on it.
 */
export interface PartitionState {
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface ClusterState {
  readonly brokers: readonly number[]
  readonly topics: ReadonlyMap<string, { readonly errorCode: number; readonly partitions: readonly PartitionState[] }>
}

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}

export async function metadata(address: string, topics: readonly string[]): Promise<ClusterState> {
  const answer = await request(address, 3, 5, new Bytes().array(topics, (bytes, topic) => bytes.string(topic)).int8(0))
  answer.int32()
  const brokers = answer.array(() => {
    const id = answer.int32()
    answer.string()
    answer.int32()
    answer.string()
    return id
  })
  answer.string()
  answer.int32()
  const found = answer.array(() => {
    const errorCode = answer.int16()
    const name = answer.string() ?? ''
    answer.int8()
    const partitions = answer.array(() => {
      answer.int16()
      const partition = answer.int32()
      const leader = answer.int32()
      const replicas = answer.array(() => answer.int32())
      const isr = answer.array(() => answer.int32())
      answer.array(() => answer.int32())
      return { partition, leader, replicas, isr }
    })
    return [name, { errorCode, partitions: partitions.sort((a, b) => a.partition - b.partition) }] as const
  })
  return { brokers, topics: new Map(found) }
}

export async function createTopic(address: string, topic: TopicSpec): Promise<void> {
  const body = new Bytes()
    .array([topic], (bytes, { name, partitions, replicationFactor, configs }) =>
      bytes
        .string(name)
        .int32(partitions)
        .int16(replicationFactor)
        .array([], () => undefined)
        .array(Object.entries(configs), (inner, [key, value]) => inner.string(key).string(value)),
    )
    .int32(30_000)
    .int8(0)
  const answer = await request(address, 19, 2, body)
  answer.int32()
  answer.array(() => {
    answer.string()
    refuse(`createTopic ${topic.name}`, answer.int16(), answer.string())
  })
}

export async function deleteTopic(address: string, name: string): Promise<void> {
  const answer = await request(
    address,
    20,
    1,
    new Bytes().array([name], (bytes, topic) => bytes.string(topic)).int32(30_000),
  )
  answer.int32()
  answer.array(() => {
    answer.string()
    refuse(`deleteTopic ${name}`, answer.int16(), null)
  })
}

export async function createPartitions(address: string, topic: string, count: number): Promise<void> {
  const body = new Bytes()
    .array([topic], (bytes, name) => bytes.string(name).int32(count).int32(-1))
    .int32(30_000)
    .int8(0)
  const answer = await request(address, 37, 1, body)
  answer.int32()
  answer.array(() => {
    answer.string()
    refuse(`createPartitions ${topic}`, answer.int16(), answer.string())
  })
}

export async function reassign(
  address: string,
  topic: string,
  partition: number,
  replicas: readonly number[],
): Promise<void> {
  const body = new Bytes()
    .int32(30_000)
    .compactArray([topic], (topics, name) =>
      topics
        .compactString(name)
        .compactArray([partition], (partitions, index) =>
          partitions
            .int32(index)
            .compactArray(replicas, (list, id) => list.int32(id))
            .noTags(),
        )
        .noTags(),
    )
    .noTags()
  const answer = await request(address, 45, 0, body, 'flexible')
  answer.int32()
  refuse(`reassign ${topic}-${partition}`, answer.int16(), answer.compactString())
  answer.compactArray(() => {
    answer.compactString()
    answer.compactArray(() => {
      answer.int32()
      refuse(`reassign ${topic}-${partition}`, answer.int16(), answer.compactString())
      answer.tags()
    })
    answer.tags()
  })
}

const electionNotNeeded = 84

export async function electPreferredLeader(address: string, topic: string, partition: number): Promise<void> {
  const body = new Bytes()
    .int8(0)
    .array([topic], (bytes, name) => bytes.string(name).array([partition], (list, index) => list.int32(index)))
    .int32(30_000)
  const answer = await request(address, 43, 1, body)
  answer.int32()
  refuse(`elect ${topic}-${partition}`, answer.int16(), null)
  answer.array(() => {
    answer.string()
    answer.array(() => {
      answer.int32()
      const code = answer.int16()
      const message = answer.string()
      if (code !== electionNotNeeded) refuse(`elect ${topic}-${partition}`, code, message)
    })
  })
}

/** The partitions of a topic that the broker at `address` serves as their leader. */
export async function servedPartitions(address: string, topic: string, partitions: number): Promise<readonly number[]> {
  const earliest = -2
  const body = new Bytes().int32(-1).array([topic], (topics, name) =>
    topics.string(name).array(
      Array.from({ length: partitions }, (_, index) => index),
      (bytes, index) => bytes.int32(index).int32(-1).int32(earliest),
    ),
  )
  const answer = await request(address, 2, 1, body)
  return answer
    .array(() => {
      answer.string()
      return answer.array(() => {
        const [partition, code] = [answer.int32(), answer.int16()]
        for (let half = 0; half < 4; half++) answer.int32()
        return code === 0 ? [partition] : []
      })
    })
    .flat(2)
}

export async function findCoordinator(address: string, key: string, kind: 'group' | 'transaction'): Promise<number> {
  const answer = await request(address, 10, 1, new Bytes().string(key).int8(kind === 'group' ? 0 : 1))
  answer.int32()
  refuse(`findCoordinator of ${kind} ${key}`, answer.int16(), answer.string())
  return answer.int32()
}

/** The node that leads the controllers' own log, which metadata answers do not tell. */
export async function activeController(address: string): Promise<number> {
  const body = new Bytes()
    .compactArray(['__cluster_metadata'], (topics, name) =>
      topics
        .compactString(name)
        .compactArray([0], (partitions, index) => partitions.int32(index).noTags())
        .noTags(),
    )
    .noTags()
  const answer = await request(address, 55, 0, body, 'flexible')
  refuse('describeQuorum', answer.int16(), null)
  let leader = -1
  answer.compactArray(() => {
    answer.compactString()
    // Only the first partition's head is read, so the rest of the answer is left unread.
    if (answer.uvarint() > 1) {
      answer.int32()
      refuse('describeQuorum', answer.int16(), null)
      leader = answer.int32()
    }
  })
  return leader
}

/** The bytes a second that each client without a quota of its own may produce; `null` takes the quota away. */
export async function defaultProducerQuota(address: string, bytesPerSecond: number | null): Promise<void> {
  const body = new Bytes()
    .array(['client-id'], (entries, type) =>
      entries
        .array([type], (entity, name) => entity.string(name).string(null))
        .array(['producer_byte_rate'], (changes, key) =>
          changes
            .string(key)
            .float64(bytesPerSecond ?? 0)
            .int8(bytesPerSecond === null ? 1 : 0),
        ),
    )
    .int8(0)
  const answer = await request(address, 49, 0, body)
  answer.int32()
  answer.array(() => {
    refuse('alterClientQuotas', answer.int16(), answer.string())
    answer.array(() => [answer.string(), answer.string()])
  })
}

function refuse(what: string, code: number, message: string | null): void {
  if (code !== 0) throw new Error(`${what}: broker error ${code}${message === null ? '' : ` (${message})`}`)
}

async function request(
  address: string,
  apiKey: number,
  version: number,
  body: Bytes,
  header: 'plain' | 'flexible' = 'plain',
): Promise<Answer> {
  const head = new Bytes().int16(apiKey).int16(version).int32(1).string('harness')
  if (header === 'flexible') head.noTags()
  const frame = Buffer.concat([head.done(), body.done()])
  const answer = new Answer(await exchange(address, new Bytes().int32(frame.length).raw(frame).done()))
  answer.int32()
  if (header === 'flexible') answer.tags()
  return answer
}

function exchange(address: string, frame: Buffer): Promise<Buffer> {
  const [host, port] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host ?? '', port: Number(port) })
    let received = Buffer.alloc(0)
    socket.setTimeout(35_000, () => socket.destroy(new Error(`${address} did not answer the harness within 35 s`)))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`${address} closed the harness's connection`)))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      resolve(received.subarray(4))
      socket.destroy()
    })
    socket.write(frame)
  })
}
