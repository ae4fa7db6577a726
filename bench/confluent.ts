export interface ConfluentPeer {
  send(topic: string, value: Buffer): Promise<unknown>
  close(): Promise<void>
}

/** The slice of @confluentinc/kafka-javascript that the bench needs; the package is measured when it is installed. */
interface ConfluentModule {
  readonly KafkaJS: {
    Kafka: new (config: object) => {
      producer(config: object): {
        connect(): Promise<void>
        disconnect(): Promise<void>
        send(record: { topic: string; messages: readonly { value: Buffer }[] }): Promise<unknown>
      }
    }
  }
}

export async function openConfluent(brokers: readonly string[]): Promise<ConfluentPeer | null> {
  const name = '@confluentinc/kafka-javascript'
  let module: ConfluentModule
  try {
    module = ((await import(name)) as { default: ConfluentModule }).default
  } catch {
    process.stderr.write(`${name} is not installed: left out\n`)
    return null
  }
  const kafka = new module.KafkaJS.Kafka({ kafkaJS: { brokers: [...brokers], logLevel: 0 } })
  const producer = kafka.producer({ kafkaJS: { acks: -1, idempotent: true }, 'linger.ms': 1 })
  await producer.connect()
  return {
    send: (topic, value) => producer.send({ topic, messages: [{ value }] }),
    close: () => producer.disconnect(),
  }
}
