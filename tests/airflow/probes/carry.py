"""Runs DAGs of the operator that carries records with ``dag.test()``, and prints what Airflow has kept of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select


def kept(session: Any, dag_id: str, run_id: str) -> dict[str, Any]:
    """Return state, try, rendered fields and XCom of a run's tasks."""
    tasks: dict[str, Any] = {}
    for ti in session.scalars(select(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id)):
        own = {"dag_id": dag_id, "run_id": run_id, "task_id": ti.task_id, "map_index": ti.map_index}
        fields = session.scalars(select(RenderedTaskInstanceFields).filter_by(**own)).first()
        xcoms = session.scalars(select(XComModel).filter_by(**own, key="return_value")).all()
        tasks[ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"] = {
            "state": str(ti.state),
            "try": ti.try_number,
            "rendered": fields.rendered_fields if fields else None,
            "xcom": [XComModel.deserialize_value(each) for each in xcoms],
        }
    return tasks


def main(file: Path, *runs: str) -> None:
    """Test each DAG that is named, in turn; a name may come more than once."""
    initdb()
    bag = BundleDagBag(dag_folder=str(file), bundle_path=file.parent, bundle_name="dags-folder")
    assert not bag.import_errors, bag.import_errors
    told = []
    for dag_id in runs:
        run = bag.dags[dag_id].test()
        with create_session() as session:
            told.append({"run": str(run.state), **kept(session, dag_id, run.run_id)})
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
