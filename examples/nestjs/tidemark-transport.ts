import { Catch, type RpcExceptionFilter } from '@nestjs/common'
import { BaseRpcContext, KafkaHeaders, RpcException, Server, type MessageHandler } from '@nestjs/microservices'
import { lastValueFrom, throwError } from 'rxjs'
import { defineTopic, nullable, string, type Consumer, type HandlerContext, type Message } from 'tidemark'
import type { Messaging, MessagingConsumerOptions } from 'tidemark'

/** `@Ctx()`: the whole message, and `signal`, `attempt` and `send` of its handling. */
export class TidemarkContext extends BaseRpcContext<[message: Message, handling: HandlerContext]> {}

/** Nest makes one error of all. With this filter `DeadLetter`, `Unavailable` and others arrive as they were thrown. */
@Catch()
export class ErrorsAsThrown implements RpcExceptionFilter {
  readonly catch = (error: unknown) => throwError(() => error)
}

/** A record goes to the handlers whose pattern is the name of its topic, and is committed when they have ended. */
export class TidemarkTransport extends Server {
  #consumer: Consumer | undefined

  constructor(
    readonly messaging: Messaging,
    readonly options: Omit<MessagingConsumerOptions, 'handle' | 'handleBatch' | 'loop' | 'batchMessages'>,
  ) {
    super()
  }

  listen(done: (error?: unknown) => void): void {
    const [patterns, topics] = [[...this.messageHandlers.keys()], this.options.topics.map(({ name }) => name)]
    const alone = [...patterns, ...topics].filter((name) => !patterns.includes(name) || !topics.includes(name))
    if (alone.length > 0) return done(new Error(`a topic without a pattern, or the reverse: ${alone.join(', ')}`))
    this.#consumer = this.messaging.consumer({ ...this.options, handle: (...given) => this.#handle(...given) })
    this.#consumer.start().then(() => done(), done)
  }

  close = async (): Promise<void> => this.#consumer?.stop()
  unwrap = <T = Consumer>(): T => this.#consumer as T
  on(): void {}

  async #handle(message: Message, context: HandlerContext): Promise<void> {
    const handler = this.messageHandlers.get(message.topic) as MessageHandler
    const result = this.transformToObservable(handler(message.value, new TidemarkContext([message, context])))
    const handled = lastValueFrom<unknown, null>(result, { defaultValue: null })
    const replyTo = message.headers.get(KafkaHeaders.REPLY_TOPIC)
    const place = message.headers.get(KafkaHeaders.REPLY_PARTITION)
    const id = message.headers.get(KafkaHeaders.CORRELATION_ID) ?? null
    if (handler.isEventHandler || replyTo === undefined) return void (await handled)
    // A request: who waits for its answer is told of a failure, as by Nest's own transport.
    const failed = (error: unknown) => (error instanceof RpcException ? error.message : 'Internal server error')
    const [answer, kind, about] = await handled.then(
      (value) => [value ?? null, KafkaHeaders.NEST_IS_DISPOSED, '1'] as const,
      (error) => [null, KafkaHeaders.NEST_ERR, failed(error)] as const,
    )
    const text = answer === null || typeof answer === 'string' ? answer : JSON.stringify(answer)
    await context.send(defineTopic({ name: replyTo, value: nullable(string()) }), text, {
      partition: place === undefined ? undefined : Number(place),
      headers: { [kind]: about, [KafkaHeaders.CORRELATION_ID]: id },
    })
  }
}
