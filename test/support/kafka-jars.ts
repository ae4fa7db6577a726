import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { delay } from './waiting.js'

const run = promisify(execFile)

/** The versions the promises are proven on; `KAFKA_VERSION` chooses another. */
export const newestKafka = '4.2.0'
export const oldestKafka = '3.9.1'
export const kafkaVersion = (): string => process.env['KAFKA_VERSION'] ?? newestKafka

/** One Kafka version on this machine, ready to start. */
export interface KafkaInstallation {
  readonly version: string
  readonly folder: string
  /** What `java -cp` takes: the folder of logging settings, then every jar. */
  readonly classpath: string
  /** The feature levels that `StorageTool format` chooses for a new cluster; every node's data folder gets a copy. */
  readonly bootstrapCheckpoint: string
}

const cacheRoot = (): string =>
  process.env['TIDEMARK_KAFKA_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tidemark', 'kafka')

/** Jars of one Kafka version, fetched from Maven Central on first use. Two processes may ask at once. */
export async function kafkaInstallation(version: string = kafkaVersion()): Promise<KafkaInstallation> {
  const folder = join(cacheRoot(), version)
  if (!existsSync(folder)) await installOnce(version, folder)
  return describe(version, folder)
}

function describe(version: string, folder: string): KafkaInstallation {
  return {
    version,
    folder,
    classpath: `${join(folder, 'conf')}:${join(folder, 'lib')}/*`,
    bootstrapCheckpoint: join(folder, 'bootstrap.checkpoint'),
  }
}

async function installOnce(version: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(folder)) return
    const staging = `${folder}.part`
    await rm(staging, { recursive: true, force: true })
    await install(version, staging)
    await rename(staging, folder)
  })
}

async function install(version: string, folder: string): Promise<void> {
  await requireCommand('java', ['-version'])
  await requireCommand('mvn', ['-version'])
  await mkdir(join(folder, 'conf'), { recursive: true })
  await copyDependencies(folder, [`org.apache.kafka:kafka_2.13:${version}`, `org.apache.kafka:kafka-tools:${version}`])
  await bindLogging(folder)
  await writeBootstrapCheckpoint(version, folder)
}

/** Kafka's jars come without a logging set-up: 3.x needs its properties file, 4.x also the bridge from slf4j to log4j 2. */
async function bindLogging(folder: string): Promise<void> {
  const log4j2 = (await readdir(join(folder, 'lib'))).find((jar) => /^log4j-core-.*\.jar$/.test(jar))
  if (log4j2 === undefined) {
    await writeFile(join(folder, 'conf', 'log4j.properties'), log4jProperties)
    return
  }
  const version = log4j2.slice('log4j-core-'.length, -'.jar'.length)
  await copyDependencies(folder, [`org.apache.logging.log4j:log4j-slf4j-impl:${version}`])
  await writeFile(join(folder, 'conf', 'log4j2.properties'), log4j2Properties)
}

const log4jProperties = `log4j.rootLogger=WARN, file
log4j.logger.kafka.server=INFO
log4j.logger.kafka.controller=INFO
log4j.logger.org.apache.kafka.controller=INFO
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.File=\${tidemark.log}
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=%d{HH:mm:ss.SSS} %p %m (%c)%n
`

const log4j2Properties = `rootLogger.level=WARN
rootLogger.appenderRef.file.ref=file
logger.server.name=kafka.server
logger.server.level=INFO
logger.controller.name=org.apache.kafka.controller
logger.controller.level=INFO
appender.file.type=File
appender.file.name=file
appender.file.fileName=\${sys:tidemark.log:-/dev/null}
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{HH:mm:ss.SSS} %p %m (%c)%n
`

async function copyDependencies(folder: string, coordinates: readonly string[]): Promise<void> {
  const dependencies = coordinates.map((coordinate) => {
    const [groupId, artifactId, version] = coordinate.split(':')
    return `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version></dependency>`
  })
  const pom = join(folder, 'pom.xml')
  await writeFile(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tidemark</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>\n`,
  )
  const target = `-DoutputDirectory=${join(folder, 'lib')}`
  await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', target]).catch((cause: unknown) => {
    const output = (cause as { stdout?: string }).stdout ?? ''
    throw new Error(`Maven could not fetch ${coordinates.join(', ')}; is Maven Central reachable?\n${output}`, { cause })
  })
}

async function writeBootstrapCheckpoint(version: string, folder: string): Promise<void> {
  const data = join(folder, 'format')
  const properties = join(folder, 'format.properties')
  await writeFile(
    properties,
    `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
controller.listener.names=CONTROLLER
listeners=CLIENT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
log.dirs=${data}
`,
  )
  const { classpath, bootstrapCheckpoint } = describe(version, folder)
  const log = `-Dtidemark.log=${join(folder, 'format.log')}`
  const clusterId = 'dGlkZW1hcmtfX2Zvcm1hdA'
  await run('java', [log, '-cp', classpath, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties])
  await cp(join(data, 'bootstrap.checkpoint'), bootstrapCheckpoint)
  await rm(data, { recursive: true })
}

/** Ends with one clear line when a command is missing. */
export async function requireCommand(command: string, args: readonly string[]): Promise<void> {
  await run(command, args).catch((cause: unknown) => {
    throw new Error(
      `The Kafka tests need ${command === 'mvn' ? 'Maven (mvn)' : `Java 17 (${command})`}, which was not found: ` +
        'install Java 17 and Maven (Debian: apt-get install openjdk-17-jdk-headless maven), ' +
        'or run only what needs neither: npm test.',
      { cause },
    )
  })
}

/** Runs `work` while no other process on this machine holds the lock; a lock whose owner died is taken over. */
export async function withLock(path: string, work: () => Promise<void>): Promise<void> {
  const giveUpAt = Date.now() + 300_000
  while (!(await tryLock(path))) {
    if (Date.now() > giveUpAt) throw new Error(`${path} is held by another process for 300 s; remove it if that one is gone`)
    await delay(200)
  }
  try {
    await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(String(process.pid))
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const owner = Number(await readFile(path, 'utf8').catch(() => ''))
  if (owner > 0 && !isAlive(owner)) await rm(path, { force: true })
  return false
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
