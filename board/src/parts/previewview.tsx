import type { Preview } from '../api/types';
import { number, t } from '../texts';
import { Banner } from './banner';
import { CopyBlock, CopyLine } from './copy';
import { NodeList } from './nodes';
import { Wrapped } from './text';

/** What a new plan would be: what is in its way, which bases come when, and what to take along. */
export function PreviewView({ preview, outdated }: { preview: Preview; outdated: boolean }) {
  return (
    <div class="preview">
      <div role="status">
        {outdated && <Banner tone="wait">{t('new.outdated')}</Banner>}
        {preview.problems.length === 0 ? (
          <p>{t('new.noProblems')}</p>
        ) : (
          <Banner tone="bad">
            <strong>{t('new.problems')}</strong>
            <ul>
              {preview.problems.map((problem) => (
                <li key={problem}>
                  <Wrapped text={problem} />
                </li>
              ))}
            </ul>
          </Banner>
        )}
      </div>
      <ol class="timeline">
        {preview.batches.map((batch, index) => (
          <li key={index} class="off">
            <div class="head">
              <h3>
                <Wrapped text={batch.name} />
              </h3>
              <span>{t('plan.nodes', { n: number(batch.nodes.length) })}</span>
            </div>
            <NodeList nodes={batch.nodes} />
          </li>
        ))}
      </ol>
      {preview.workload && (
        <>
          <h3>{t('new.workload')}</h3>
          <p>{t('new.workloadHelp')}</p>
          <CopyLine line={preview.workload} what={t('new.workload')} />
        </>
      )}
      {preview.yaml && (
        <>
          <h3>{t('new.planYaml')}</h3>
          <CopyBlock text={preview.yaml} what={t('new.planYaml')} />
        </>
      )}
    </div>
  );
}
