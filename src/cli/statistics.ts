// Columns of tables with statistics.
import type { StatisticsView } from '../domain/views.ts';
import type { Column } from './output.ts';

export const statisticsColumns: readonly Column<StatisticsView>[] = [
  { title: 'BYTES IN', of: (row) => row.bytesIn },
  { title: 'BYTES OUT', of: (row) => row.bytesOut },
  { title: 'OPEN', of: (row) => row.activeConnections },
  { title: 'CONNECTIONS', of: (row) => row.totalConnections },
  { title: 'ERRORS', of: (row) => row.requestErrors },
];
