import { Heading } from '../parts/page';
import { place } from '../state/url';
import { t } from '../texts';

export function Missing() {
  return (
    <>
      <Heading title={t('app.notFound')} />
      <p>{t('app.notFoundHelp', { path: place.value.path })}</p>
    </>
  );
}
