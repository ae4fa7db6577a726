import { fileURLToPath } from 'node:url'
import { kafkajs } from '../drivers/kafkajs/driver.js'
import { exitCode } from './exit-code.js'
import { nodeTerminal } from './node-terminal.js'
import { run } from './run.js'

/**
 * The command as a process. The first SIGINT or SIGTERM ends it in order, the second at once. Where what it writes is read by
 * a program that has ended, as by `head`, it ends without a word; where it cannot be written otherwise, it has failed.
 */
export async function main(): Promise<void> {
  const stop = new AbortController()
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(exitCode.interrupted)
    stop.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCode.fine)
    process.stderr.write(`tidemark: what it has to say could not be written: ${error.message}\n`)
    process.exit(exitCode.defect)
  })
  // What goes beside the report ends nothing, and least of all a change that has begun.
  process.stderr.on('error', () => undefined)
  process.exitCode = await run(process.argv.slice(2), {
    terminal: nodeTerminal(process.env),
    environment: process.env,
    directory: process.cwd(),
    pageFolder: fileURLToPath(new URL('../console', import.meta.url)),
    signal: stop.signal,
    driverOf: (kafka) => kafkajs(kafka),
  })
  process.off('SIGINT', onSignal)
  process.off('SIGTERM', onSignal)
}
