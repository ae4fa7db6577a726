import { startConsole, type ConsoleOptions } from '../../console/console.js'
import { readAssets } from '../../console/server/assets.js'
import { TidemarkError } from '../../errors.js'
import { systemRandom } from '../../runtime/random.js'
import { whenAborted } from '../../runtime/when-aborted.js'
import { momentText } from '../../text/figures.js'
import { printableJson } from '../../text/printable.js'
import type { Report } from '../report.js'
import type { Session } from '../session.js'
import { WrongUse } from '../wrong-use.js'
import { diagnosisOf } from './doctor.js'

export interface ConsoleCommandOptions {
  readonly port: number
  readonly host: string
  readonly hostName?: readonly string[] | undefined
  readonly members?: readonly URL[] | undefined
  readonly redriveTo?: readonly string[] | undefined
  readonly allowPayloads?: boolean | undefined
  readonly every: number
}

const leastEveryMs = 500
const mostPort = 65_535

/** Serves the page until the session is ended. */
export async function serveConsole(session: Session, options: ConsoleCommandOptions): Promise<Report> {
  const { port, host, every } = options
  if (port > mostPort) throw new WrongUse(`--port ${port}: write a port up to ${mostPort}`)
  if (every < leastEveryMs) throw new WrongUse(`--every: write 500ms or more, as each look asks all brokers`)
  const parts = await consoleOptions(session, options)
  const served = await startConsole(parts).catch(wrongPlace)
  const { url, token } = served
  const { terminal, json } = session
  terminal.write(
    json
      ? `${printableJson({ url, token })}\n`
      : `The console is at ${url}#token=${token}\n` +
          `What is behind # lets whoever has it write; it is good until the console ends, by ctrl-C.\n`,
  )
  if (host !== '127.0.0.1' && host !== 'localhost' && host !== '::1') {
    session.note(`warning: it listens on ${host}, without TLS: who listens in can read the token`)
  }
  try {
    await whenAborted(session.signal)
  } finally {
    await served.close()
  }
  return { value: null, text: () => '', follows: 'nothing' }
}

/** A port that is taken is no refusal of the cluster. */
function wrongPlace(error: unknown): never {
  throw error instanceof TidemarkError && error.code === 'cannot-listen' ? new WrongUse(error.message) : error
}

async function consoleOptions(session: Session, options: ConsoleCommandOptions): Promise<ConsoleOptions> {
  const { port, host, every, hostName = [], members = [], redriveTo = [], allowPayloads = false } = options
  const assets = readAssets(session.pageFolder)
  const messaging = await session.cluster()
  // Who is not there should be told now, and not on the page.
  await messaging.admin.describeCluster(session.call)
  return {
    ...{ assets, messaging, port, host, members, redriveTo, allowPayloads },
    ...{ hosts: hostName, everyMs: every, timeoutMs: session.call.timeoutMs, factsToken: session.factsToken },
    random: systemRandom,
    diagnose: () => diagnosisOf(session, []),
    audit: (line) => session.note(`${momentText(messaging.clock.wallTime())} ${line}`),
  }
}
