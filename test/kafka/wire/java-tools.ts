import { spawn } from 'node:child_process'
import type { KafkaInstallation } from '../../support/kafka-jars.js'
import { dieWithUs } from '../../support/reaper.js'

const LIMIT_MS = 60_000

/** Runs a tool of Kafka's own jars to its end and gives what it printed. Rejects on a bad exit or after a minute. */
export function runJava(
  installation: KafkaInstallation,
  main: string,
  args: readonly string[],
  input = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const flags = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
    const child = spawn('java', [...flags, '-cp', installation.classpath, main, ...args], {
      // 3.9 asks for the folder its log file would be in.
      env: { ...process.env, LOG_DIR: '/tmp' },
    })
    dieWithUs(child)
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      if (code === 0) resolve(out)
      else reject(new Error(`${main} ended with ${code}: ${err.slice(-2_000)} ${out.slice(-2_000)}`))
    })
    child.stdin.end(input)
  })
}

/** The console producer moved between the jars. */
export function consoleProducer({ version }: KafkaInstallation): string {
  return version.startsWith('3.') ? 'kafka.tools.ConsoleProducer' : 'org.apache.kafka.tools.ConsoleProducer'
}

export const consoleConsumer = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
export const dumpLogSegments = 'kafka.tools.DumpLogSegments'
export const configCommand = 'kafka.admin.ConfigCommand'
