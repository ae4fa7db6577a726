import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from './free-ports.js'
import { cacheRoot, copyDependencies, installOnce } from './installations.js'
import { startJava, withTool, type JavaInstallation } from './java.js'
import { temporaryFolder } from './temporary-folder.js'
import { until } from './waiting.js'

/** The last whose node can be started by its jars alone: they bring their HTTP server as a jar too. */
const version = '7.17.29'

export interface Elasticsearch {
  readonly url: string
  /** By SIGKILL; what it has acknowledged is on disk. */
  kill(): Promise<void>
  /** At the same address, with what it had. Resolved when it answers. */
  start(): Promise<void>
}

/** A real Elasticsearch of one node. Its jars come from Maven Central on first use. */
export async function startElasticsearch(): Promise<Elasticsearch> {
  const folder = join(cacheRoot(), 'elasticsearch', version)
  const jars = [
    `org.elasticsearch:elasticsearch:${version}`,
    `org.elasticsearch.plugin:transport-netty4-client:${version}`,
  ]
  await installOnce(folder, (staging) => copyDependencies(staging, jars))
  const flags = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const installation: JavaInstallation = { folder, classpath: join(folder, 'lib', '*'), quickStartFlags: flags }
  const node = await withTool(installation, 'SearchNode')
  const home = temporaryFolder('elasticsearch')
  mkdirSync(join(home, 'config'))
  const [http = 0, transport = 0] = await freePorts(2)
  const url = `http://127.0.0.1:${http}`
  let child: ReturnType<typeof startJava> | null = null

  const start = async (): Promise<void> => {
    const started = startJava(node, 'SearchNode', [home, String(http), String(transport)], flags)
    let said = ''
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (text) => (said = `${said}${String(text)}`.slice(-4_000)))
    child = started
    await until('Elasticsearch answers', () => answers(url), { timeoutMs: 120_000, seen: () => said })
  }
  const kill = async (): Promise<void> => {
    const running = child
    if (running === null || running.exitCode !== null || running.signalCode !== null) return
    const ended = once(running, 'exit')
    running.kill('SIGKILL')
    await ended
  }
  await start()
  return { url, kill, start }
}

/** Its indices are there, too, and not only its door. */
async function answers(url: string): Promise<boolean> {
  const { ok } = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=5s`)
  return ok
}
