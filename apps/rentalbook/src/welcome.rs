//! What a person sees who has just started the library.

use crate::{cli::ServiceArg, embedded::Library};

/// Which door is where, and three things to try.
pub async fn text(library: &Library) -> String {
    let at = async |service| format!("http://{}", library.address(service).await);
    let gateway = at(ServiceArg::Gateway).await;
    format!(
        "\
rentalbook is open; its state is in {data}, Ctrl-C closes it

  gateway   게이트웨이      {gateway}   the one door to all of these
  order     대여요청        {order}/orders
  rent      대여            {rent}/rents
  delivery  배송            {delivery}/deliveries
  mypage    내 대여 현황    {mypage}/mypages

Try in another terminal:

  curl -i {gateway}/orders -H 'Content-Type: application/json' -H 'Accept: application/json' -d '{{\"item\":\"COSMOS\",\"customer\":\"kim\"}}'
  curl {gateway}/mypages/1
  curl -X PATCH {gateway}/orders/1 -H 'Content-Type: application/json' -H 'Accept: application/json' -d '{{\"status\":\"Order Cancel\"}}'
",
        data = library.data().display(),
        order = at(ServiceArg::Order).await,
        rent = at(ServiceArg::Rent).await,
        delivery = at(ServiceArg::Delivery).await,
        mypage = at(ServiceArg::Mypage).await,
    )
}
