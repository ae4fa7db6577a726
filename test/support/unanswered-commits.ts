import type { DatabaseConnection, Dialect, Driver } from 'kysely'

/** What becomes of a commit: its answer is lost, or the commit itself, or it is done and never answered; then so many transactions cannot begin. */
export interface CommitLoss {
  readonly lost: 'answer' | 'commit' | 'silence'
  readonly awayFor: number
}

/** The database of `dialect`, over a network that loses the next commits as told. */
export function losingCommits(dialect: Dialect, losses: CommitLoss[]): Dialect {
  return {
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver: () => losing(dialect.createDriver(), losses),
  }
}

function losing(driver: Driver, losses: CommitLoss[]): Driver {
  let awayFor = 0
  let end = (): void => undefined
  const isOver = new Promise<void>((resolve) => (end = resolve))
  return {
    init: () => driver.init(),
    acquireConnection: () => driver.acquireConnection(),
    beginTransaction: async (connection: DatabaseConnection, settings) => {
      if (awayFor > 0) {
        awayFor -= 1
        throw new Error('connect ECONNREFUSED')
      }
      await driver.beginTransaction(connection, settings)
    },
    commitTransaction: async (connection) => {
      const loss = losses.shift()
      if (loss?.lost !== 'commit') await driver.commitTransaction(connection)
      if (loss === undefined) return
      awayFor = loss.awayFor
      if (loss.lost === 'silence') await isOver
      throw new Error('read ECONNRESET')
    },
    rollbackTransaction: (connection) => driver.rollbackTransaction(connection),
    releaseConnection: (connection) => driver.releaseConnection(connection),
    destroy: () => {
      end()
      return driver.destroy()
    },
  }
}
