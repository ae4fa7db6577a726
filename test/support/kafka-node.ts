import { spawn, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KafkaInstallation } from './kafka-jars.js'
import { metadata } from './raw-requests.js'
import { dieWithUs } from './reaper.js'
import { delay } from './waiting.js'

export interface NodeSettings {
  readonly id: number
  readonly installation: KafkaInstallation
  /** Holds `node.properties`, the log and the data. */
  readonly folder: string
  readonly clientAddress: string
  readonly internalAddress: string
  readonly jvmFlags: readonly string[]
}

/** One broker process. `kill`, `stop`, `pause` and `resume` are what happens to brokers in the world. */
export interface KafkaNode {
  readonly id: number
  readonly pid: number | undefined
  readonly internalAddress: string
  readonly running: boolean
  /** Starts the process; resolved when it runs, not yet when it answers. */
  start(): void
  /** SIGKILL; resolved when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM, a controlled shutdown; SIGKILL after `timeoutMs`. */
  stop(timeoutMs?: number): Promise<void>
  /** SIGSTOP: the broker is silent, its sockets stay open. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Starts it again when it is down, and resolves when it answers and knows at least `liveBrokers` brokers. */
  restart(liveBrokers?: number): Promise<void>
  /** Resolved when it answers and knows at least `liveBrokers` brokers; rejected with the end of its log when it died. */
  ready(liveBrokers?: number): Promise<void>
}

export function kafkaNode(settings: NodeSettings): KafkaNode {
  const { id, installation, folder, internalAddress, jvmFlags } = settings
  const logFile = join(folder, 'kafka.log')
  let child: ChildProcess | undefined
  let output = ''

  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null

  function start(): void {
    if (running()) return
    output = ''
    const args = [...jvmFlags, `-Dtidemark.log=${logFile}`, '-cp', installation.classpath, 'kafka.Kafka']
    const started = spawn('java', [...args, join(folder, 'node.properties')], { stdio: ['ignore', 'pipe', 'pipe'] })
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000)
    }
    started.stdout.on('data', collect)
    started.stderr.on('data', collect)
    started.on('error', (error) => collect(Buffer.from(error.message)))
    child = started
    dieWithUs(started)
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM', timeoutMs: number): Promise<void> {
    const ending = child
    if (ending === undefined || !running()) return
    const gone = new Promise((resolve) => ending.once('exit', resolve))
    if (!running()) return
    ending.kill('SIGCONT')
    ending.kill(signal)
    const timer = setTimeout(() => ending.kill('SIGKILL'), timeoutMs)
    await gone
    clearTimeout(timer)
  }

  async function ready(liveBrokers = 1): Promise<void> {
    const giveUpAt = Date.now() + 60_000
    while (!(await answers(liveBrokers))) {
      if (!running()) throw new NodeDied(id, await lastLines(logFile, output))
      if (Date.now() > giveUpAt)
        throw new Error(`Kafka node ${id} did not answer within 60 s:\n${await lastLines(logFile, output)}`)
      await delay(30)
    }
  }

  const answers = (liveBrokers: number): Promise<boolean> =>
    metadata(internalAddress, []).then(
      ({ brokers }) => brokers.length >= liveBrokers && brokers.includes(id),
      () => false,
    )

  return {
    id,
    internalAddress,
    get pid() {
      return running() ? child?.pid : undefined
    },
    get running() {
      return running()
    },
    start,
    kill: () => end('SIGKILL', 10_000),
    stop: (timeoutMs = 15_000) => end('SIGTERM', timeoutMs),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    ready,
    // While a node is down an outgoing connection may get its port for a moment, so a failed start is tried again.
    async restart(liveBrokers = 1) {
      for (let attempt = 1; ; attempt++) {
        start()
        try {
          return await ready(liveBrokers)
        } catch (error) {
          if (!(error instanceof NodeDied) || attempt === 5) throw error
          await delay(500)
        }
      }
    },
  }
}

/** The process ended before it answered; the message carries the end of its log. */
export class NodeDied extends Error {
  constructor(id: number, log: string) {
    super(`Kafka node ${id} ended while starting:\n${log}`)
  }
}

async function lastLines(logFile: string, output: string): Promise<string> {
  const log = await readFile(logFile, 'utf8').catch(() => '')
  return `${output}\n${log.split('\n').slice(-20).join('\n')}`
}
